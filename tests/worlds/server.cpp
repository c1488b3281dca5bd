// Implements the server process of a world.
#include "tests/worlds/server.hpp"

#include <fmt/format.h>

#include <csignal>
#include <memory>
#include <utility>

#include "sluice/io/make_engine.hpp"
#include "sluice/io/signal_handler.hpp"
#include "sluice/model/make.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"
#include "tests/worlds/waiting.hpp"

namespace sluice::worlds {
namespace {

result<std::unique_ptr<model::server>> open(io::engine& engine, const server_shape& shape,
                                            const std::vector<door>& doors) {
    std::vector<model::endpoint> endpoints;
    for (const door& each : doors) {
        auto socket = net::listen(net::address::loopback(each.port),
                                  {.share_port = shape.model == model::kind::event});
        if (!socket) return failure(socket.error());
        endpoints.push_back(
            {.listener = std::move(*socket), .serve = each.serve, .state = each.state});
    }
    auto made = model::make(shape.model, engine, std::move(endpoints),
                            {.engine = io::engine_kind::epoll,
                             .workers = shape.workers,
                             .max_clients = shape.max_clients,
                             .max_per_address = 100'000,
                             .grace = shape.grace});
    if (!made) return failure_of(EINVAL);
    return std::move(*made);
}

}  // namespace

server_shape draw_shape(stage& s) {
    constexpr std::array models{model::kind::sync, model::kind::thread, model::kind::pool,
                                model::kind::event};
    return {.model = models[s.chance().below(models.size())],
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
    s.require(server.open_descriptors() == 0,
              fmt::format("the server left {} descriptors open", server.open_descriptors()));
}

}  // namespace sluice::worlds
