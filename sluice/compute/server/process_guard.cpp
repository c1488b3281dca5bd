// Implements process_guard: records on a pipe, a pidfd per owner.
#include "sluice/compute/server/process_guard.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace sluice::compute {
namespace {

/// A message on the pipe, written atomically (PIPE_BUF).
struct record {
    pid_t owner;
    pid_t group;
    bool watched;
};

constexpr int term_pause_ms = 10;
constexpr int term_pauses = 30;

void terminate_groups(const std::set<pid_t>& groups) noexcept {
    for (const pid_t each : groups) ::kill(-each, SIGTERM);
    for (int i = 0; i < term_pauses; ++i) {
        bool left = false;
        for (const pid_t each : groups) left = ::kill(-each, 0) == 0 || left;
        if (!left) return;
        ::poll(nullptr, 0, term_pause_ms);
    }
    for (const pid_t each : groups) ::kill(-each, SIGKILL);
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
            if (::poll(watched.data(), watched.size(), -1) < 0) continue;
            // An owner's records come before its end.
            const bool ended = watched[0].revents != 0 && !read_records();
            for (std::size_t i = 1; i < watched.size(); ++i) {
                if (watched[i].revents != 0) end_owner(pids[i]);
            }
            if (!ended) continue;
            while (!owners_.empty()) end_owner(owners_.begin()->first);
            ::_exit(EXIT_SUCCESS);
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
            const auto n = ::read(records_, records.data(), sizeof records);
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
        from.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, r.owner, 0)));
        if (!from.pidfd && errno == ESRCH) end_owner(r.owner);
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

[[noreturn]] void run_guard(int from) noexcept {
    // Leaves the terminal's process group and ignores the signals meant for the server, because the
    // guard must outlive it.
    ::setsid();
    for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE}) {
        std::signal(each, SIG_IGN);
    }
    ::prctl(PR_SET_NAME, "sluice-guard");
    ::dup2(from, STDIN_FILENO);
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, STDOUT_FILENO);
    ::dup2(null, STDERR_FILENO);
    ::close_range(STDERR_FILENO + 1, ~0U, 0);
    ::fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    guard{STDIN_FILENO}.run();
}

}  // namespace

result<std::unique_ptr<process_guard>> process_guard::start() {
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC) != 0) return failure_of(errno);
    const unique_fd from{fds[0]};
    unique_fd to{fds[1]};
    const pid_t pid = ::fork();
    if (pid < 0) return failure_of(errno);
    if (pid == 0) {
        to.reset();
        run_guard(from.get());
    }
    ::fcntl(to.get(), F_SETFL, O_NONBLOCK);
    return std::unique_ptr<process_guard>{new process_guard{std::move(to), pid, ::getpid()}};
}

process_guard::~process_guard() {
    to_.reset();
    if (owner_ == ::getpid()) ::waitpid(guard_, nullptr, 0);
}

void process_guard::watch(pid_t group) const noexcept {
    const record r{.owner = ::getpid(), .group = group, .watched = true};
    static_cast<void>(::write(to_.get(), &r, sizeof r));
}

void process_guard::forget(pid_t group) const noexcept {
    const record r{.owner = ::getpid(), .group = group, .watched = false};
    static_cast<void>(::write(to_.get(), &r, sizeof r));
}

}  // namespace sluice::compute
