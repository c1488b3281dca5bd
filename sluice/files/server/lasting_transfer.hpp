// Counts transfers in progress, and reports each once that lasts for two seconds.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::files {

/// A transfer, counted in `running` while it lives: a counter that forked processes may share.
class lasting_transfer {
 public:
    /// Calls `report`, which may be empty, once after two seconds; it must not throw.
    lasting_transfer(std::atomic<std::uint64_t>& running, std::function<void()> report) noexcept
        : running_{running}, report_{std::move(report)} {
        running_.fetch_add(1, std::memory_order_relaxed);
    }
    lasting_transfer(const lasting_transfer&) = delete;
    lasting_transfer& operator=(const lasting_transfer&) = delete;
    ~lasting_transfer() { running_.fetch_sub(1, std::memory_order_relaxed); }

    /// Timer of the report, while a step of the transfer waits on `engine`.
    class watch : io::timer {
     public:
        watch(lasting_transfer& transfer, io::engine& engine) noexcept
            : timer{[](timer& t) noexcept { static_cast<watch&>(t).transfer_.report(); }},
              transfer_{transfer},
              engine_{engine} {
            if (transfer_.report_) engine_.timers().arm(*this, transfer_.due_);
        }
        watch(const watch&) = delete;
        watch& operator=(const watch&) = delete;
        ~watch() { engine_.timers().disarm(*this); }

     private:
        lasting_transfer& transfer_;
        io::engine& engine_;
    };

 private:
    void report() noexcept {
        if (const auto callback = std::exchange(report_, nullptr)) callback();
    }

    std::atomic<std::uint64_t>& running_;
    std::function<void()> report_;
    io::time_point due_ = io::after(io::clock::now(), std::chrono::seconds{2});
};

}  // namespace sluice::files
