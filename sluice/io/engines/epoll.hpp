// epoll engine: attempts operations at once, and waits for readiness.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <memory>

#include "sluice/io/engine.hpp"
#include "sluice/io/epoll.hpp"
#include "sluice/os/wakeup.hpp"

namespace sluice::io {

/// A descriptor is registered once, edge-triggered, when an operation first has to wait on it. Its
/// slot keeps the known readiness: an attempt that would block, or a short read or write, clears it
/// (epoll(7), questions and answers, 9); an event sets it.
class epoll_engine final : public engine {
 public:
    [[nodiscard]] static result<std::unique_ptr<engine>> create(const engine_options& o);
    ~epoll_engine() override;

    [[nodiscard]] engine_kind which() const noexcept override { return engine_kind::epoll; }
    void wake() noexcept override;
    /// Readable while a turn would find an event; for a thread that waits for several engines.
    [[nodiscard]] int fd() const noexcept { return epoll_.fd(); }

 private:
    epoll_engine(const engine_options& o, epoll poll, os::wakeup wakeup);

    bool start(op& o) noexcept override;
    bool start_queued(op& o) noexcept override;
    void withdraw(op& o) noexcept override;
    void wait(time_point until) noexcept override;
    void on_detach(int fd, fd_slot& s) noexcept override;

    bool try_or_park(op& o) noexcept;
    void park(op& o) noexcept;
    void take_in(const epoll_event& event) noexcept;

    epoll epoll_;
    os::wakeup wakeup_;
    std::array<epoll_event, 512> events_{};
};

}  // namespace sluice::io
