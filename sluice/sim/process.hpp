// Simulated process: fibers with a descriptor table and signals of their own.
#pragma once

#include <sys/types.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sluice/sim/descriptor_table.hpp"
#include "sluice/sim/scheduler.hpp"

namespace sluice::sim {

class simulated_kernel;

/// A group of fibers. Its first one runs its function; when that returns, the process exits. The
/// world owns it, beyond its end.
class process {
 public:
    process(simulated_kernel& k, int id, std::string name);
    process(const process&) = delete;
    process& operator=(const process&) = delete;
    ~process() = default;

    [[nodiscard]] simulated_kernel& kernel() noexcept { return kernel_; }
    [[nodiscard]] int id() const noexcept { return id_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] descriptor_table& table() noexcept { return table_; }
    /// True from its function's return, or crash(), on.
    [[nodiscard]] bool over() const noexcept { return over_; }
    /// Descriptors from 3 on: those that are open, or were when its function returned.
    [[nodiscard]] int open_descriptors() const noexcept;

    /// Sends `number` to the process (kill(2)): to a signalfd that awaits it, to a handler, which a
    /// fiber runs at its next call, or it ends the process, as signal(7) says.
    void signal(int number);
    /// True if signal() ends it: it neither awaits, handles, ignores nor blocks that one.
    [[nodiscard]] bool would_end_by(int number) const noexcept;
    /// Who is told of a signal that is pending.
    [[nodiscard]] wait_queue& signalled() noexcept { return signalled_; }
    /// Takes a pending signal of `which` out; 0 if there is none.
    int take_signal(const sigset_t& which) noexcept;
    [[nodiscard]] bool has_signal(const sigset_t& which) const noexcept;
    /// Ends its fibers where they are, without unwinding; closes its descriptors, and resets its
    /// streams, as the end of a machine. From one of its own fibers this does not return.
    void crash();
    /// When a call of it last failed for want of a descriptor, a thread or a process, or it was
    /// made to stand still; nullopt: never.
    [[nodiscard]] std::optional<virtual_time> last_shortage() const noexcept {
        return last_shortage_;
    }

    /// @name Of a process that spawn() has started
    /// @{
    /// The process that waits for it; nullptr: the world started it, and no process waits for it.
    [[nodiscard]] const process* parent() const noexcept { return parent_; }
    /// True once waitpid(2) reports its end: a moment after its descriptors were closed.
    [[nodiscard]] bool waitable() const noexcept { return waitable_; }
    /// True once waitpid(2) has reported its end.
    [[nodiscard]] bool reaped() const noexcept { return reaped_; }
    /// Who is told when it becomes waitable.
    [[nodiscard]] wait_queue& ended() noexcept { return ended_; }
    /// @}

 private:
    friend class simulated_kernel;

    enum class ending : std::uint8_t { returned, killed, crashed };
    void exit(ending how);
    /// exit() by that signal.
    void end_by(int number);
    enum class handled : std::uint8_t {
        nothing,
        restart,    // handlers ran that want calls to go on (sigaction(2), SA_RESTART)
        interrupt,  // and others
    };
    /// Does what the pending signals say that `f`, which runs, does not block.
    handled take_signals(fiber& f);
    [[nodiscard]] bool ignores(int number) const noexcept;
    [[nodiscard]] bool ends_by(int number) const noexcept;
    /// The fiber that takes `number`; nullptr if all block it.
    [[nodiscard]] fiber* taker_of(int number) const noexcept;

    simulated_kernel& kernel_;
    int id_;
    std::string name_;
    wait_queue signalled_;
    descriptor_table table_;
    std::vector<fiber*> fibers_;
    std::array<struct sigaction, 65> actions_{};
    sigset_t pending_{};
    mode_t umask_ = 022;
    int left_open_ = 0;
    bool over_ = false;
    std::optional<virtual_time> last_shortage_;
    process* parent_ = nullptr;
    wait_queue ended_;
    int status_ = 0;  // as of waitpid(2)
    bool waitable_ = false;
    bool reaped_ = false;
};

}  // namespace sluice::sim
