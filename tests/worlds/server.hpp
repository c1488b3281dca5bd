// A server process of a world: any service under any model that can be simulated.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/io/engine.hpp"
#include "sluice/model/model.hpp"
#include "sluice/model/service.hpp"
#include "tests/worlds/stage.hpp"

namespace sluice::worlds {

/// How a server of a world runs.
struct server_shape {
    model::kind model = model::kind::event;
    io::engine_kind engine = io::engine_kind::epoll;  ///< of the shards of the event model
    unsigned workers = 1;
    std::chrono::milliseconds grace{1000};
    std::uint32_t max_clients = 10'000;
};

/// epoll or uring, for shards, if the setting does not say which.
[[nodiscard]] io::engine_kind draw_engine(const stage& s);

/// For a client that is a program of ours: on io_uring in half of the seeds.
[[nodiscard]] result<std::unique_ptr<io::engine>> make_client_engine(const stage& s);

/// One of sync, thread, pool and event, with one to three workers. (A forked process has memory of
/// its own, which no fiber has.) If the setting says which engine, a model that has it.
[[nodiscard]] server_shape draw_shape(stage& s);

/// The port of worlds with one door.
inline constexpr std::uint16_t usual_port = 5000;

/// A port, and what is served there: a service, or a state per shard.
struct door {
    std::uint16_t port = 0;
    model::service serve = {};
    model::state_factory state = {};
    std::string_view protocol = "sluice";             ///< over TLS, in ALPN
    std::function<void(model::stage)> on_stage = {};  ///< of a stop; may be empty
};

/// The main function of a server process: serves until SIGTERM, then drains. What cannot be opened
/// or started for a fault is tried again, as systemd would.
void serve(stage& s, const server_shape& shape, const std::vector<door>& doors);

/// The end of a world: the server is told to stop, has ended soon after its grace, has reaped every
/// program that it started, and has closed every descriptor.
void stop_and_check(stage& s, sim::process& server, const server_shape& shape);

}  // namespace sluice::worlds
