// Implements measure_echo() with the load of the lab.
#include <cstdio>
#include <string>

#include "common.hpp"
#include "echo.hpp"
#include "sluice/lab/load/exchange.hpp"
#include "sluice/net/address.hpp"

namespace load {

void measure_echo(const echo_options& options) {
    namespace lab = sluice::lab;
    const auto seen =
        lab::exchange({.where = sluice::net::address::loopback(options.port),
                       .request = std::string(options.size, 'x'),
                       .answer_size = options.size,
                       .answer = {},
                       .connections = options.connections,
                       .depth = options.depth,
                       .warmup = options.warmup,
                       .measured = options.measured,
                       .server = {.process = options.server},
                       .engine = options.engine == echo_engine::uring ? lab::load_engine::uring
                                                                      : lab::load_engine::epoll});
    if (!seen) fail(seen.error().what);
    const auto server = seen->server.value_or(lab::usage{});
    std::printf(
        "{\"seconds\": %.6f, \"messages\": %.0f, \"messages_per_second\": %.1f, "
        "\"messages_per_turn\": %.2f, \"server_cpu_seconds\": %.6f, "
        "\"server_waited_seconds\": %.6f, \"load_cpu_seconds\": %.6f, "
        "\"load_waited_seconds\": %.6f, \"load_idle_seconds\": %.6f}\n",
        seen->seconds, seen->amount, seen->amount / seen->seconds,
        seen->turns > 0 ? seen->amount / static_cast<double>(seen->turns) : 0.0, server.cpu,
        server.waited, seen->load.cpu, seen->load.waited, seen->idle);
}

}  // namespace load
