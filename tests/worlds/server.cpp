// Implements the server process of a world.
#include "tests/worlds/server.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <utility>

#include "sluice/io/make_engine.hpp"
#include "sluice/io/signal_handler.hpp"
#include "sluice/model/make.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"
#include "tests/worlds/secure.hpp"
#include "tests/worlds/waiting.hpp"

namespace sluice::worlds {
namespace {

/// True if the kernel has no io_uring: then epoll is used, as by `--engine auto`.
bool is_refusal(error e) {
    return e.is(ENOSYS) || e.is(EPERM);
}

/// The engine of the shards.
io::engine_kind usable_engine(const server_shape& shape) {
    if (shape.engine != io::engine_kind::uring) return io::engine_kind::epoll;
    const auto tried = io::make_engine(io::engine_kind::uring);
    return !tried && is_refusal(tried.error()) ? io::engine_kind::epoll : io::engine_kind::uring;
}

/// True if a server under `m` waits by `engine`. The sessions of the pool model share an epoll.
bool has_engine(model::kind m, io::engine_kind engine) {
    switch (engine) {
        case io::engine_kind::blocking: return m == model::kind::sync || m == model::kind::thread;
        case io::engine_kind::epoll: return m == model::kind::pool || m == model::kind::event;
        case io::engine_kind::uring: break;
    }
    return m == model::kind::event;
}

/// For choices of the engine, which move no others.
sim::random engine_chance(const stage& s) {
    return sim::random{s.how().seed ^ 0x656e'6769'6e65U};
}

result<std::unique_ptr<model::server>> open(io::engine& engine, const server_shape& shape,
                                            const std::vector<door>& doors) {
    std::vector<model::endpoint> endpoints;
    for (const door& each : doors) {
        auto socket = net::listen(net::address::loopback(each.port),
                                  {.share_port = shape.model == model::kind::event});
        if (!socket) return failure(socket.error());
        endpoints.push_back(
            {.listener = std::move(*socket),
             .serve = each.serve,
             .state = each.state,
             .over = {.context = server_tls(), .protocol = each.protocol, .answer_plain = {}}});
    }
    auto made = model::make(shape.model, engine, std::move(endpoints),
                            {.engine = usable_engine(shape),
                             .workers = shape.workers,
                             .max_clients = shape.max_clients,
                             .max_per_address = 100'000,
                             .grace = shape.grace,
                             .on_stage = [&doors](model::stage now) {
                                 for (const door& each : doors) {
                                     if (each.on_stage) each.on_stage(now);
                                 }
                             }});
    if (!made) return failure_of(EINVAL);
    return std::move(*made);
}

}  // namespace

io::engine_kind draw_engine(const stage& s) {
    if (s.how().engine && *s.how().engine != io::engine_kind::blocking) return *s.how().engine;
    return engine_chance(s).chance(0.5) ? io::engine_kind::uring : io::engine_kind::epoll;
}

result<std::unique_ptr<io::engine>> make_client_engine(const stage& s) {
    auto chance = engine_chance(s);
    static_cast<void>(chance.bits());
    auto made =
        io::make_engine(chance.chance(0.5) ? io::engine_kind::uring : io::engine_kind::epoll);
    if (!made && is_refusal(made.error())) made = io::make_engine(io::engine_kind::epoll);
    return made;
}

server_shape draw_shape(stage& s) {
    constexpr std::array models{model::kind::sync, model::kind::thread, model::kind::pool,
                                model::kind::event};
    auto chosen = models[s.chance().below(models.size())];
    auto chance = engine_chance(s);
    while (s.how().engine && !has_engine(chosen, *s.how().engine)) {
        chosen = models[chance.below(models.size())];
    }
    return {.model = chosen,
            .engine = draw_engine(s),
            .workers = static_cast<unsigned>(s.chance().between(1, 3)),
            .grace = std::chrono::milliseconds{s.chance().between(0, 2000)}};
}

void serve(stage& s, const server_shape& shape, const std::vector<door>& doors) {
    bool stopped = false;
    while (!stopped) {
        auto engine = io::make_engine(io::engine_kind::blocking);
        if (engine) {
            auto server = open(**engine, shape, doors);
            if (server) {
                const io::signal_handler stop{**engine, SIGTERM, [&](unsigned) {
                                                  stopped = true;
                                                  (*server)->stop();
                                              }};
                if ((*server)->run() && !stopped) s.fail("a server has ended that nobody stopped");
            }
        }
        if (!stopped) wait_a_while();
    }
}

void stop_and_check(stage& s, sim::process& server, const server_shape& shape) {
    constexpr std::chrono::seconds after_the_grace{2};
    constexpr std::chrono::seconds to_start{10};
    s.within(to_start, "the server serves", [&] { return !server.would_end_by(SIGTERM); });
    server.signal(SIGTERM);
    s.within(shape.grace + after_the_grace, "the server ends after SIGTERM",
             [&] { return server.over(); });
    for (const auto& each : s.kernel().processes()) {
        s.require(each->parent() != &server || each->reaped(),
                  fmt::format("the server left the program {}", each->id()));
    }
    s.require(server.open_descriptors() == 0,
              fmt::format("the server left {} descriptors open", server.open_descriptors()));
}

}  // namespace sluice::worlds
