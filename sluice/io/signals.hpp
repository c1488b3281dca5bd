// Awaitable signals over signalfd(2).
#pragma once

#include <csignal>
#include <initializer_list>

#include "sluice/base/result.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/op.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::io {

/// Waits for the next watched signal; gives its number.
class next_signal final : public op {
 public:
    next_signal(engine& owner, int fd) noexcept : op{kind_, owner, fd} {}
    [[nodiscard]] result<int> await_resume() noexcept;

 private:
    static int attempt(op& o) noexcept;
    static const op_kind kind_;
};

/// Blocks the signals for the calling thread, and for those it starts later, and delivers them to
/// next() (signalfd(2)). Make it first thing, before any thread is started: a thread that does not
/// block a signal may take it. Signals of one number that come together count once.
class signals {
 public:
    /// Errno of signalfd(2) or of attaching.
    [[nodiscard]] static result<signals> watch(engine& e,
                                               std::initializer_list<int> which) noexcept;
    /// Leaves `other` with nothing to wait for or to restore.
    signals(signals&& other) noexcept = default;
    signals& operator=(signals&&) = delete;
    signals(const signals&) = delete;
    signals& operator=(const signals&) = delete;
    ~signals();

    /// `co_await s.next()`: a number such as SIGTERM. One waiter at a time.
    [[nodiscard]] next_signal next() noexcept { return next_signal{*engine_, fd_.get()}; }

 private:
    signals(engine& e, unique_fd fd, const sigset_t& before) noexcept
        : engine_{&e}, fd_{std::move(fd)}, before_{before} {}

    engine* engine_;
    unique_fd fd_;
    sigset_t before_;
};

}  // namespace sluice::io
