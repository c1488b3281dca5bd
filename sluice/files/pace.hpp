// Minimum pace of a transfer: cancels a transfer that stalls or is too slow.
#pragma once

#include <chrono>
#include <cstdint>

#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/transfer/byte_counter.hpp"

namespace sluice::files {

/// The least that must move within each `window`.
struct pace_limits {
    io::duration window = io::duration::max();
    std::uint64_t bytes_a_second = 0;  ///< 0: a byte per window is enough
    std::uint64_t moved_before = 0;    ///< what a counter has at first that counts for no window

    /// Bytes that must move per window; at least one.
    [[nodiscard]] std::uint64_t least() const noexcept {
        using seconds = std::chrono::duration<double>;
        const auto wanted = static_cast<double>(bytes_a_second) *
                            std::chrono::duration_cast<seconds>(window).count();
        return wanted < 1 ? 1 : static_cast<std::uint64_t>(wanted);
    }
};

/// Checks `counter` once per window while it lives, and cancels `within` when too little moved.
class pace_timer : io::timer {
 public:
    pace_timer(io::engine& engine, coro::context& within, const transfer::byte_counter& counter,
               pace_limits limits) noexcept
        : timer{[](timer& t) noexcept { static_cast<pace_timer&>(t).check(); }},
          engine_{engine},
          within_{within},
          counter_{counter},
          limits_{limits},
          least_{limits.least()},
          seen_{limits.moved_before} {
        arm();
    }
    pace_timer(const pace_timer&) = delete;
    pace_timer& operator=(const pace_timer&) = delete;
    ~pace_timer() { engine_.timers().disarm(*this); }

    [[nodiscard]] bool gave_up() const noexcept { return gave_up_; }

 private:
    void arm() noexcept {
        engine_.timers().arm(*this, io::after(io::clock::now(), limits_.window));
    }
    void check() noexcept {
        const auto now = counter_.bytes();
        if (now - seen_ < least_) {
            gave_up_ = true;
            within_.cancel();
            return;
        }
        seen_ = now;
        arm();
    }

    io::engine& engine_;
    coro::context& within_;
    const transfer::byte_counter& counter_;
    pace_limits limits_;
    std::uint64_t least_;
    std::uint64_t seen_;
    bool gave_up_ = false;
};

/// Awaits the task that `make()` returns; fault::timed_out where `counter` falls behind the limits.
template <class T, class Make>
coro::task<result<T>> at_pace(io::engine& engine, pace_limits limits,
                              transfer::byte_counter& counter, Make make) {
    coro::context within{co_await coro::this_context()};
    const pace_timer timer{engine, within, counter, limits};
    coro::task<result<T>> work = make();
    work.set_context(within);
    auto done = co_await work;
    if (!done && timer.gave_up() && done.error() == fault::cancelled) {
        co_return failure(fault::timed_out);
    }
    co_return done;
}

}  // namespace sluice::files
