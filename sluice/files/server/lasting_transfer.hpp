// Counts the transfers that go on, and says once of each that lasts.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::files {

/// A transfer, counted in `going` while it lives: a counter that forked processes may share.
class lasting_transfer {
 public:
    /// `say` is called once if the transfer lasts for two seconds; it must not throw. May be empty.
    lasting_transfer(std::atomic<std::uint64_t>& going, std::function<void()> say) noexcept
        : going_{going}, say_{std::move(say)} {
        going_.fetch_add(1, std::memory_order_relaxed);
    }
    lasting_transfer(const lasting_transfer&) = delete;
    lasting_transfer& operator=(const lasting_transfer&) = delete;
    ~lasting_transfer() { going_.fetch_sub(1, std::memory_order_relaxed); }

    /// Looks at the clock while a step of the transfer waits on the engine `here`.
    class watch : io::timer {
     public:
        watch(lasting_transfer& of, io::engine& here) noexcept
            : timer{[](timer& t) noexcept { static_cast<watch&>(t).of_.say(); }},
              of_{of},
              here_{here} {
            if (of_.say_) here_.timers().arm(*this, of_.due_);
        }
        watch(const watch&) = delete;
        watch& operator=(const watch&) = delete;
        ~watch() { here_.timers().disarm(*this); }

     private:
        lasting_transfer& of_;
        io::engine& here_;
    };

 private:
    void say() noexcept {
        if (const auto once = std::exchange(say_, nullptr)) once();
    }

    std::atomic<std::uint64_t>& going_;
    std::function<void()> say_;
    io::time_point due_ = io::after(io::clock::now(), std::chrono::seconds{2});
};

}  // namespace sluice::files
