// Shards: two threads that share nothing and count for themselves, and a third that asks them.
#include <cstdio>
#include <memory>
#include <vector>

#include "sluice/io.hpp"

using namespace sluice;

namespace {

/// Belongs to one shard's thread: no lock, no atomic.
struct counter {
    int value = 0;
};

coro::task<> serve(io::engine& engine, counter& mine) {
    mine.value = 1;
    // Whatever a shard does; here it waits until it is stopped.
    static_cast<void>(co_await io::sleep_until{engine, io::never});
}

coro::task<> ask(io::engine& here, const std::vector<std::unique_ptr<io::shard>>& shards,
                 std::vector<counter>& counters) {
    for (std::size_t i = 0; i < shards.size(); ++i) {
        // The function runs on the shard's thread, between two of its coroutines, and must not
        // wait.
        const int value = co_await io::call_on(here, shards[i]->engine(),
                                               [&mine = counters[i]] { return mine.value += 41; });
        std::printf("shard %zu counts %d\n", i, value);
    }
}

}  // namespace

int main() {
    auto engine = io::make_engine(io::automatic_engine().kind);
    if (!engine) return 1;
    std::vector<counter> counters(2);
    std::vector<std::unique_ptr<io::shard>> shards;
    for (auto& mine : counters) {
        auto started = io::shard::start({.kind = (*engine)->which(), .engine = {}, .cpu = {}},
                                        [&mine](io::engine& e) { return serve(e, mine); });
        if (!started) return 1;
        shards.push_back(std::move(*started));
    }
    coro::context root{(*engine)->ready()};
    io::run(**engine, ask(**engine, shards, counters), root);
    // The end of a shard stops what runs on it and joins its thread.
    shards.clear();
    std::printf("both have ended\n");
}
