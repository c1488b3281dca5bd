// Blocking engine: every operation finishes before it returns (poll(2)).
#pragma once

#include <memory>

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
};

}  // namespace sluice::io
