// A server process of a world: any service under any model that can be simulated.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sluice/io/engine.hpp"
#include "sluice/model/model.hpp"
#include "sluice/model/service.hpp"
#include "tests/worlds/stage.hpp"

namespace sluice::worlds {

/// How a server of a world runs.
struct server_shape {
    model::kind model = model::kind::event;
    unsigned workers = 1;
    std::chrono::milliseconds grace{1000};
    std::uint32_t max_clients = 10'000;
};

/// One of sync, thread, pool and event, with one to three workers. (A forked process has memory of
/// its own, which no fiber has.)
[[nodiscard]] server_shape draw_shape(stage& s);

/// The port of worlds with one door.
inline constexpr std::uint16_t usual_port = 5000;

/// A port, and what is served there: a service, or a state per shard.
struct door {
    std::uint16_t port = 0;
    model::service serve = {};
    model::state_factory state = {};
};

/// The main function of a server process: serves until SIGTERM, then drains. What cannot be opened
/// or started for a fault is tried again, as systemd would.
void serve(stage& s, const server_shape& shape, const std::vector<door>& doors);

/// The end of a world: the server is told to stop, has ended soon after its grace, and has closed
/// every descriptor.
void stop_and_check(stage& s, sim::process& server, const server_shape& shape);

}  // namespace sluice::worlds
