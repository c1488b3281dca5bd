// Sees to it that a transfer moves on: ends one that stands still, or is slower than it may be.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/transfer/moved.hpp"

namespace sluice::files {

/// Within each `window`, at least this much must move.
struct pace_limits {
    io::duration window = io::duration::max();
    std::uint64_t bytes_a_second = 0;  ///< 0: a byte in a window is enough

    /// Bytes that must move in a window; at least one.
    [[nodiscard]] std::uint64_t least() const noexcept {
        using seconds = std::chrono::duration<double>;
        const auto wanted = static_cast<double>(bytes_a_second) *
                            std::chrono::duration_cast<seconds>(window).count();
        return wanted < 1 ? 1 : static_cast<std::uint64_t>(wanted);
    }
};

/// Of an upload where nothing else is said: 256 bytes a second, over each half minute.
inline constexpr pace_limits default_upload_pace{.window = std::chrono::seconds{30},
                                                 .bytes_a_second = 256};

/// While it lives, it looks at `told` once a window, and cancels `within` when too little moved.
class pace_keeper : io::timer {
 public:
    pace_keeper(io::engine& here, coro::context& within, const transfer::moved& told,
                pace_limits limits) noexcept
        : timer{[](timer& t) noexcept { static_cast<pace_keeper&>(t).look(); }},
          here_{here},
          within_{within},
          told_{told},
          limits_{limits},
          least_{limits.least()} {
        arm();
    }
    pace_keeper(const pace_keeper&) = delete;
    pace_keeper& operator=(const pace_keeper&) = delete;
    ~pace_keeper() { here_.timers().disarm(*this); }

    [[nodiscard]] bool gave_up() const noexcept { return gave_up_; }

 private:
    void arm() noexcept { here_.timers().arm(*this, io::after(io::clock::now(), limits_.window)); }
    void look() noexcept {
        const auto now = told_.bytes();
        if (now - seen_ < least_) {
            gave_up_ = true;
            within_.cancel();
            return;
        }
        seen_ = now;
        arm();
    }

    io::engine& here_;
    coro::context& within_;
    const transfer::moved& told_;
    pace_limits limits_;
    std::uint64_t least_;
    std::uint64_t seen_ = 0;
    bool gave_up_ = false;
};

/// The same for a transfer that is waited for in one place alone: until next(), and it goes on as
/// long as holds() says so afterwards.
class pace_watch {
 public:
    pace_watch(pace_limits limits, io::time_point now) noexcept
        : limits_{limits}, next_{io::after(now, limits.window)} {}

    [[nodiscard]] io::time_point next() const noexcept { return next_; }
    /// False where a window is over in which too little has moved; `bytes` have moved in all.
    [[nodiscard]] bool holds(io::time_point now, std::uint64_t bytes) noexcept {
        if (now < next_) return true;
        if (bytes - seen_ < limits_.least()) return false;
        seen_ = bytes;
        next_ = io::after(now, limits_.window);
        return true;
    }

 private:
    pace_limits limits_;
    io::time_point next_;
    std::uint64_t seen_ = 0;
};

/// Awaits the transfer that `make(told)` gives, at that pace: fault::timed_out where it fell
/// behind.
template <class T, class Make>
coro::task<result<T>> at_pace(io::engine& here, pace_limits limits, transfer::moved& told,
                              Make make) {
    coro::context within{co_await coro::this_context()};
    const pace_keeper keeper{here, within, told, limits};
    coro::task<result<T>> work = make();
    work.set_context(within);
    auto done = co_await work;
    if (!done && keeper.gave_up() && done.error() == fault::cancelled) {
        co_return failure(fault::timed_out);
    }
    co_return done;
}

}  // namespace sluice::files
