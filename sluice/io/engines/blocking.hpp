// Blocking engine: every operation finishes before it returns (poll(2)).
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "sluice/io/engine.hpp"
#include "sluice/os/wakeup.hpp"

namespace sluice::io {

/// Waits with poll(2) inside submit. Timers still fire and messages are still delivered meanwhile,
/// so deadlines and cancellations work as on the other engines.
class blocking_engine final : public engine {
 public:
    [[nodiscard]] static result<std::unique_ptr<engine>> create(const engine_options& o);

    ~blocking_engine() override { wait_for_senders(); }

    [[nodiscard]] engine_kind which() const noexcept override { return engine_kind::blocking; }
    void wake() noexcept override;
    /// Within its waits, calls `act`, which must not throw or wait, whenever `fd` can be read. One
    /// at a time; -1 ends it. For what the thread does beside the coroutine that it runs.
    void watch(int fd, std::function<void()> act) noexcept {
        beside_fd_ = fd;
        beside_ = std::move(act);
    }

 private:
    blocking_engine(const engine_options& o, os::wakeup wakeup);

    bool start(op& o) noexcept override;
    bool start_queued(op& o) noexcept override { return start(o); }
    void withdraw(op& o) noexcept override;
    void wait(time_point until) noexcept override;
    void on_detach(int /*fd*/, fd_slot& /*slot*/) noexcept override {}

    /// Waits for `fd` (-1: for the wakeup fd alone). True if it is ready.
    bool wait_for(int fd, short events, time_point until) noexcept;

    os::wakeup wakeup_;
    int beside_fd_ = -1;
    std::function<void()> beside_;
};

}  // namespace sluice::io
