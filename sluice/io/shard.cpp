// Implements shard: starts its thread, runs its coroutine, and joins it.
#include "sluice/io/shard.hpp"

#include <sched.h>

#include <mutex>
#include <optional>
#include <utility>

#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::io {

shard::stop_message::stop_message(shard& s) noexcept
    : message{[](message& m) noexcept {
          auto& self = static_cast<stop_message&>(m);
          self.delivered = true;
          if (self.owner.root_ != nullptr) self.owner.root_->cancel();
      }},
      owner{s} {}

shard::shard() noexcept : stop_{*this} {}

result<std::unique_ptr<shard>> shard::start(options o, entry run) {
    std::unique_ptr<shard> made{new shard};
    os::mutex mutex;
    os::condition ready;
    std::optional<result<void>> outcome;
    const auto report = [&](result<void> r) {
        // With the lock held, since these three end with the wait.
        const std::lock_guard lock{mutex};
        outcome = r;
        ready.notify_one();
    };
    auto begun = made->thread_.start(
        [&made = *made, &report, o, run = std::move(run)] { made.work(o, run, std::ref(report)); });
    if (!begun) return failure(begun.error());
    {
        std::unique_lock lock{mutex};
        ready.wait(lock, [&outcome] { return outcome.has_value(); });
    }
    if (!*outcome) {
        made->thread_.join();
        return failure(outcome->error());
    }
    return made;
}

shard::~shard() {
    stop();
    join();
}

void shard::stop() noexcept {
    if (engine_ == nullptr || stop_sent_.exchange(true)) return;
    engine_->post(stop_);
}

void shard::join() noexcept {
    thread_.join();
}

void shard::work(const options& o, const entry& run, std::function<void(result<void>)> started) {
    if (o.cpu) {
        cpu_set_t set{};
        CPU_ZERO(&set);
        CPU_SET(static_cast<std::size_t>(*o.cpu), &set);
        static_cast<void>(os::sys().sched_setaffinity(set));
    }
    // The ring belongs to the thread that makes it.
    auto made = make_engine(o.kind, o.engine);
    if (!made) {
        started(failure(made.error()));
        return;
    }
    engine_ = std::move(*made);
    coro::context root{engine_->ready()};
    root_ = &root;
    started({});
    io::run(*engine_, run(*engine_), root);
    root_ = nullptr;
    // No stop may be sent from here on, and one that was sent must arrive.
    if (stop_sent_.exchange(true)) {
        while (!stop_.delivered) engine_->run_once(never);
    }
}

}  // namespace sluice::io
