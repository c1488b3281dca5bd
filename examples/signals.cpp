// Signals as something to be awaited: waits for SIGINT or SIGTERM, and counts SIGUSR1 until then.
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "sluice/io.hpp"

using namespace sluice;

namespace {

coro::task<> listen(io::engine& engine) {
    // First thing, before any thread is started: one that does not block a signal may take it.
    auto signals = io::signals::watch(engine, {SIGUSR1, SIGINT, SIGTERM});
    if (!signals) co_return;
    std::printf("waiting: kill -USR1 %d, kill %d\n", ::getpid(), ::getpid());
    std::fflush(stdout);
    int counted = 0;
    while (auto number = co_await signals->next()) {
        if (*number != SIGUSR1) break;
        std::printf("SIGUSR1 came %d times\n", ++counted);
        std::fflush(stdout);
    }
    std::printf("stopping in order\n");
}

}  // namespace

int main() {
    auto engine = io::make_engine(io::automatic_engine().kind);
    if (!engine) return 1;
    coro::context root{(*engine)->ready()};
    io::run(**engine, listen(**engine), root);
}
