// The world of `sluice serve`: chat, files and compute in one process, on the shards of one event
// model, and the clients of all beside each other.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "tests/worlds/server.hpp"
#include "tests/worlds/workload.hpp"
#include "tests/worlds/worlds.hpp"

namespace sluice::worlds {
namespace {

using namespace std::chrono_literals;

/// The main function of the server's process: each service lives around the next one, and within
/// the last one all listen.
void host_all(stage& s, const server_shape& shape,
              std::span<const std::unique_ptr<workload>> services, std::vector<door>& doors) {
    if (services.empty()) return serve(s, shape, doors);
    services.front()->host([&](const std::vector<door>& more) {
        doors.insert(doors.end(), more.begin(), more.end());
        host_all(s, shape, services.subspan(1), doors);
    });
}

}  // namespace

void serve_together(stage& s) {
    auto& chance = s.chance();
    const server_shape shape{.model = model::kind::event,
                             .engine = draw_engine(s),
                             .workers = static_cast<unsigned>(chance.between(1, 3)),
                             .grace = std::chrono::milliseconds{chance.between(1000, 3000)}};
    constexpr std::uint16_t chat_port = 5000;
    constexpr std::uint16_t compute_port = 2999;
    std::vector<std::unique_ptr<workload>> loads;
    loads.push_back(make_files_workload(s, shape));
    loads.push_back(make_compute_workload(s, shape, compute_port));
    loads.push_back(make_chat_workload(s, shape, chat_port));
    std::vector<door> doors;
    sim::process& server = s.start("server", [&] { host_all(s, shape, loads, doors); });

    for (const auto& each : loads) each->begin();
    for (auto left = s.draw_time(5s) / 100ms; left >= 0; --left) {
        s.pass(100ms);
        for (const auto& each : loads) each->look();
    }
    std::vector<sim::process*> clients;
    for (const auto& each : loads) {
        const auto more = each->clients();
        clients.insert(clients.end(), more.begin(), more.end());
    }
    s.heal(clients);
    for (const auto& each : loads) each->heal();
    // Whoever is asked first has the shortest time, while the others' clients are still there.
    std::vector<workload*> in_some_order;
    for (const auto& each : loads) in_some_order.push_back(each.get());
    chance.shuffle(in_some_order);
    for (workload* each : in_some_order) each->settle();
    for (const auto& each : loads) each->before_stop();
    stop_and_check(s, server, shape);
    for (const auto& each : loads) each->after_stop();
}

}  // namespace sluice::worlds
