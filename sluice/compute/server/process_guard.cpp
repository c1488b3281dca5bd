// Implements process_guard: records on a pipe, a pidfd per owner.
#include "sluice/compute/server/process_guard.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::compute {
namespace {

/// A message on the pipe, written atomically (PIPE_BUF).
struct record {
    pid_t owner;
    pid_t group;
    bool watched;
};

constexpr std::chrono::milliseconds term_pause{10};
constexpr int term_pauses = 30;

void terminate_groups(const std::set<pid_t>& groups) noexcept {
    os::kernel& sys = os::sys();
    for (const pid_t each : groups) sys.kill(-each, SIGTERM);
    for (int i = 0; i < term_pauses; ++i) {
        bool left = false;
        for (const pid_t each : groups) left = sys.kill(-each, 0) == 0 || left;
        if (!left) return;
        os::sleep_for(term_pause);
    }
    for (const pid_t each : groups) sys.kill(-each, SIGKILL);
}

/// The main loop of the guard process.
class guard {
 public:
    explicit guard(int from) noexcept : records_{from} {}

    [[noreturn]] void run() {
        for (;;) {
            std::vector<pollfd> watched{{.fd = records_, .events = POLLIN, .revents = 0}};
            std::vector<pid_t> pids{0};
            for (const auto& [pid, each] : owners_) {
                watched.push_back({.fd = each.pidfd.get(), .events = POLLIN, .revents = 0});
                pids.push_back(pid);
            }
            if (os::sys().ppoll(watched, nullptr) < 0) continue;
            // An owner's records come before its end.
            const bool ended = watched[0].revents != 0 && !read_records();
            for (std::size_t i = 1; i < watched.size(); ++i) {
                if (watched[i].revents != 0) end_owner(pids[i]);
            }
            if (!ended) continue;
            while (!owners_.empty()) end_owner(owners_.begin()->first);
            os::exit_at_once(EXIT_SUCCESS);
        }
    }

 private:
    struct owner {
        unique_fd pidfd;
        std::set<pid_t> groups;
    };

    /// Reads all pending records. False at the end of the pipe.
    bool read_records() {
        for (;;) {
            std::array<record, 64> records{};
            const auto n = os::sys().read(records_, std::as_writable_bytes(std::span{records}));
            if (n < 0) return true;
            if (n == 0) return false;
            for (std::size_t i = 0; i < static_cast<std::size_t>(n) / sizeof(record); ++i) {
                apply(records[i]);
            }
        }
    }
    void apply(const record& r) {
        if (!r.watched) {
            const auto found = owners_.find(r.owner);
            if (found == owners_.end()) return;
            found->second.groups.erase(r.group);
            if (found->second.groups.empty()) owners_.erase(found);
            return;
        }
        auto& from = owners_[r.owner];
        from.groups.insert(r.group);
        if (from.pidfd) return;
        from.pidfd.reset(os::sys().pidfd_open(r.owner));
        if (from.pidfd.get() == -ESRCH) end_owner(r.owner);
    }
    void end_owner(pid_t pid) {
        const auto found = owners_.find(pid);
        if (found == owners_.end()) return;
        terminate_groups(found->second.groups);
        owners_.erase(found);
    }

    int records_;
    std::map<pid_t, owner> owners_;
};

[[noreturn]] void run_guard(int from, const std::function<void()>& confine) noexcept {
    // Leaves the terminal's process group and ignores the signals meant for the server, because the
    // guard must outlive it.
    os::kernel& sys = os::sys();
    sys.setsid();
    struct sigaction ignored{};
    ignored.sa_handler = SIG_IGN;
    for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE}) {
        sys.sigaction(each, &ignored, nullptr);
    }
    sys.prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("sluice-guard"));
    sys.dup2(from, STDIN_FILENO);
    const int null = sys.openat(AT_FDCWD, "/dev/null", O_RDWR);
    sys.dup2(null, STDOUT_FILENO);
    sys.dup2(null, STDERR_FILENO);
    sys.close_range(STDERR_FILENO + 1, ~0U);
    sys.fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    if (confine) confine();
    guard{STDIN_FILENO}.run();
}

}  // namespace

result<std::unique_ptr<process_guard>> process_guard::start(const std::function<void()>& confine) {
    os::kernel& sys = os::sys();
    std::array<int, 2> fds{};
    if (const int failed = sys.pipe2(fds, O_CLOEXEC); failed < 0) return failure_of(-failed);
    const unique_fd from{fds[0]};
    unique_fd to{fds[1]};
    const pid_t pid = sys.fork();
    if (pid < 0) return failure_of(-pid);
    if (pid == 0) {
        to.reset();
        run_guard(from.get(), confine);
    }
    sys.fcntl(to.get(), F_SETFL, O_NONBLOCK);
    return std::unique_ptr<process_guard>{new process_guard{std::move(to), pid, sys.getpid()}};
}

process_guard::~process_guard() {
    to_.reset();
    if (owner_ == os::sys().getpid()) os::sys().waitpid(guard_, nullptr, 0);
}

void process_guard::watch(pid_t group) const noexcept {
    const record r{.owner = os::sys().getpid(), .group = group, .watched = true};
    os::sys().write(to_.get(), std::as_bytes(std::span{&r, 1}));
}

void process_guard::forget(pid_t group) const noexcept {
    const record r{.owner = os::sys().getpid(), .group = group, .watched = false};
    os::sys().write(to_.get(), std::as_bytes(std::span{&r, 1}));
}

}  // namespace sluice::compute
