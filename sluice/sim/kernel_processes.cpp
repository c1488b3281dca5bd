// Implements the calls of the simulated kernel for processes and signals.
#include <fcntl.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/sim/fail.hpp"
#include "sluice/sim/process_descriptor.hpp"
#include "sluice/sim/simulated_kernel.hpp"

namespace sluice::sim {
namespace {

constexpr int cores = 4;
constexpr pid_t first_pid = 1000;
constexpr uid_t user = 1000;
constexpr virtual_time longest_delivery = 100 * a_microsecond;  // of a signal to a child

/// As waitpid(2) reports it.
int exit_status(int code) noexcept {
    return W_EXITCODE(code, 0);
}

}  // namespace

// Processes of a world are started by the world, or by spawn().
pid_t simulated_kernel::fork() noexcept {
    return call("fork", {}, [] { return -ENOSYS; });
}

void simulated_kernel::add_program(std::string path, std::function<int()> run) {
    constexpr mode_t executable = 0755;
    opened_inode made;
    const int failed = disk_->open(disk_->root(), path, O_CREAT | O_WRONLY, executable, 0, made);
    require(failed == 0, "the file of a program cannot be made");
    programs_.insert_or_assign(std::move(path), std::move(run));
}

pid_t simulated_kernel::spawn(const os::spawn_plan& plan) noexcept {
    return call(
        "spawn", {},
        [&]() -> pid_t {
            if (random_.chance(faults_.no_process)) {
                current().last_shortage_ = scheduler_.now();
                constexpr std::array reasons{EAGAIN, ENOMEM, ENFILE, ENOENT};
                return -reasons[random_.below(reasons.size())];
            }
            const auto program = programs_.find(std::string_view{plan.file});
            if (program == programs_.end()) return -ENOENT;
            std::array<std::shared_ptr<description>, 3> standard;
            std::ranges::transform(plan.standard_fds, standard.begin(),
                                   [&](int fd) { return find(fd); });
            if (std::ranges::find(standard, nullptr) != standard.end()) return -EBADF;
            process& child = start_process(plan.file, [this, run = program->second] {
                current().status_ = exit_status(run());
            });
            child.parent_ = &current();
            for (int fd = 0; auto& each : standard) child.table().put(fd++, std::move(each));
            return first_pid + child.id();
        },
        plan.file);
}

process* simulated_kernel::process_of(pid_t number) noexcept {
    const auto index = static_cast<std::size_t>(number - first_pid - 1);
    return number > first_pid && index < processes_.size() ? processes_[index].get() : nullptr;
}

pid_t simulated_kernel::waitpid(pid_t which, int* status, int options) noexcept {
    return call("waitpid", {which, options}, [&]() -> pid_t {
        process* const child = process_of(which);
        if (child == nullptr || child->parent_ != &current() || child->reaped_) return -ECHILD;
        while (!child->waitable_) {
            if ((options & WNOHANG) != 0) return 0;
            if (random_.chance(faults_.interrupted)) return -EINTR;
            static_cast<void>(wait_in(child->ended_, never, "waitpid", which));
            fiber& f = *scheduler_.current();
            if (f.owner->take_signals(f) != process::handled::nothing) return -EINTR;
        }
        child->reaped_ = true;
        if (status != nullptr) *status = child->status_;
        return which;
    });
}

int simulated_kernel::pidfd_open(pid_t which) noexcept {
    return call("pidfd_open", {which}, [&] {
        process* const of = process_of(which);
        if (of == nullptr || of->reaped_) return -ESRCH;
        return make(std::make_shared<process_descriptor>(*of), true);
    });
}

pid_t simulated_kernel::getpid() noexcept {
    return call("getpid", {}, [&] { return first_pid + current().id(); });
}

pid_t simulated_kernel::getppid() noexcept {
    return call("getppid", {}, [&] {
        const process* const parent = current().parent_;
        return parent == nullptr ? first_pid : first_pid + parent->id();
    });
}

pid_t simulated_kernel::getpgrp() noexcept {
    return getpid();
}

int simulated_kernel::execve(const char* path, char* const* /*arguments*/,
                             char* const* /*environment*/) noexcept {
    return call("execve", {}, [] { return -ENOSYS; }, path);
}

void simulated_kernel::exit_group(int status) noexcept {
    call("exit_group", {status}, [] { return 0; });
    if (fiber* f = scheduler_.current()) f->owner->crash();
    std::abort();
}

// Not root, which no limit stops.
uid_t simulated_kernel::getuid() noexcept {
    return user;
}

uid_t simulated_kernel::geteuid() noexcept {
    return user;
}

void simulated_kernel::break_pipe() noexcept {
    const fiber& f = *scheduler_.current();
    if (sigismember(&f.blocked_signals, SIGPIPE) == 0) f.owner->signal(SIGPIPE);
}

int simulated_kernel::raise(int signal) noexcept {
    return kill(getpid(), signal);
}

// Time is not what a simulated process is measured by.
int simulated_kernel::getrusage(int /*who*/, rusage& into) noexcept {
    into = {};
    return 0;
}

std::int64_t simulated_kernel::process_cpu_ns(pid_t /*which*/) noexcept {
    return scheduler_.now();
}

int simulated_kernel::kill(pid_t which, int signal) noexcept {
    return call("kill", {which, signal}, [&] {
        // Each process is alone in its group.
        process* const to = process_of(std::abs(which));
        if (to == nullptr) return -ESRCH;
        require(!to->reaped_,
                "a signal for a process that was reaped: another may have its number");
        if (to->parent_ == nullptr || to == &current()) {
            if (to->over()) return -ESRCH;
            if (signal != 0) to->signal(signal);
        } else if (signal != 0) {
            // One that runs on another core makes a few more calls.
            scheduler_.after(random_.between(0, longest_delivery), [=] { to->signal(signal); });
        }
        return 0;
    });
}

int simulated_kernel::prctl(int option, unsigned long argument) noexcept {
    return call("prctl", {option, static_cast<std::int64_t>(argument)}, [] { return 0; });
}

int simulated_kernel::setsid() noexcept {
    return call("setsid", {}, [&] { return first_pid + current().id(); });
}

int simulated_kernel::sigaction(int signal, const struct sigaction* now,
                                struct sigaction* before) noexcept {
    return call("sigaction", {signal}, [&] {
        auto& actions = current().actions_;
        if (signal < 1 || static_cast<std::size_t>(signal) >= actions.size()) return -EINVAL;
        struct sigaction& action = actions.at(static_cast<std::size_t>(signal));
        if (before != nullptr) *before = action;
        if (now != nullptr) action = *now;
        return 0;
    });
}

int simulated_kernel::mask_signals(int how, const sigset_t* now, sigset_t* before) noexcept {
    const int failed = call("mask_signals", {how}, [&] {
        sigset_t& mask = scheduler_.current()->blocked_signals;
        if (before != nullptr) *before = mask;
        if (now == nullptr) return 0;
        switch (how) {
            case SIG_SETMASK: mask = *now; return 0;
            case SIG_BLOCK: sigorset(&mask, &mask, now); return 0;
            case SIG_UNBLOCK: break;
            default: return -EINVAL;
        }
        for (int number = 1; number < NSIG; ++number) {
            if (sigismember(now, number) == 1) sigdelset(&mask, number);
        }
        return 0;
    });
    // What has waited arrives before the call returns.
    if (fiber* f = scheduler_.current()) static_cast<void>(f->owner->take_signals(*f));
    return failed;
}

int simulated_kernel::getrlimit(int resource, rlimit& into) noexcept {
    return call("getrlimit", {resource}, [&] {
        const rlim_t limit =
            resource == RLIMIT_NOFILE ? rlim_t{current().table().limit()} : RLIM_INFINITY;
        into = {.rlim_cur = limit, .rlim_max = limit};
        return 0;
    });
}

int simulated_kernel::prlimit(pid_t which, int resource, const rlimit& /*limit*/) noexcept {
    return call("prlimit", {which, resource}, [&] {
        const process* const of = process_of(which);
        return of == nullptr || of->reaped() ? -ESRCH : 0;
    });
}

// Its processes have no rights to lose, and it has no Landlock and no filters.
int simulated_kernel::capget(std::uint64_t& permitted) noexcept {
    permitted = 0;
    return 0;
}

int simulated_kernel::capset(std::uint64_t permitted) noexcept {
    return call("capset", {static_cast<std::int64_t>(permitted)},
                [permitted] { return permitted == 0 ? 0 : -EPERM; });
}

int simulated_kernel::drop_bounding_capability(int capability) noexcept {
    return call("drop_bounding_capability", {capability}, [] { return -EPERM; });
}

int simulated_kernel::setgroups(std::span<const gid_t> /*groups*/) noexcept {
    return call("setgroups", {}, [] { return -EPERM; });
}

int simulated_kernel::setgid(gid_t group) noexcept {
    return call("setgid", {group}, [] { return -EPERM; });
}

int simulated_kernel::setuid(uid_t wanted) noexcept {
    return call("setuid", {wanted}, [wanted] { return wanted == user ? 0 : -EPERM; });
}

int simulated_kernel::chroot(const char* path) noexcept {
    return call("chroot", {}, [] { return -EPERM; }, path);
}

int simulated_kernel::chdir(const char* path) noexcept {
    return call("chdir", {}, [] { return -ENOSYS; }, path);
}

int simulated_kernel::landlock_create_ruleset(const void* /*attributes*/, std::size_t /*size*/,
                                              unsigned flags) noexcept {
    return call("landlock_create_ruleset", {flags}, [] { return -ENOSYS; });
}

int simulated_kernel::landlock_add_path(int ruleset, std::uint64_t /*allowed*/,
                                        int parent) noexcept {
    return call("landlock_add_path", {ruleset, parent}, [] { return -ENOSYS; });
}

int simulated_kernel::landlock_restrict_self(int ruleset) noexcept {
    return call("landlock_restrict_self", {ruleset}, [] { return -ENOSYS; });
}

int simulated_kernel::seccomp(unsigned operation, unsigned flags, void* /*argument*/) noexcept {
    return call("seccomp", {operation, flags}, [] { return -ENOSYS; });
}

int simulated_kernel::setrlimit(int resource, const rlimit& limit) noexcept {
    return call("setrlimit", {resource}, [&] {
        if (resource == RLIMIT_NOFILE) {
            current().table().set_limit(static_cast<std::size_t>(limit.rlim_cur));
        }
        return 0;
    });
}

int simulated_kernel::sched_getaffinity(cpu_set_t& into, std::size_t /*size*/) noexcept {
    return call("sched_getaffinity", {}, [&] {
        CPU_ZERO(&into);
        for (std::size_t core = 0; core < cores; ++core) CPU_SET(core, &into);
        return 0;
    });
}

int simulated_kernel::sched_setaffinity(const cpu_set_t& /*set*/) noexcept {
    return call("sched_setaffinity", {}, [] { return 0; });
}

int simulated_kernel::lower_priority(int nice) noexcept {
    return call("lower_priority", {nice}, [] { return 0; });
}

int simulated_kernel::uname(utsname& into) noexcept {
    return call("uname", {}, [&] {
        into = {};
        std::string_view{"Linux"}.copy(into.sysname, sizeof into.sysname);
        std::string_view{"6.1.0-simulated"}.copy(into.release, sizeof into.release);
        return 0;
    });
}

}  // namespace sluice::sim
