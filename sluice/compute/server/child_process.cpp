// Implements child_process with posix_spawn(3) and pidfd_open(2).
#include "sluice/compute/server/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace sluice::compute {
namespace {

struct pipe_ends {
    unique_fd read;
    unique_fd write;
};

result<pipe_ends> make_pipe() noexcept {
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC) != 0) return failure_of(errno);
    return pipe_ends{unique_fd{fds[0]}, unique_fd{fds[1]}};
}

void set_nonblocking(const unique_fd& fd) noexcept {
    ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

/// Arguments of posix_spawn(3), freed with their scope.
class spawn_arguments {
 public:
    spawn_arguments() noexcept {
        posix_spawn_file_actions_init(&actions_);
        posix_spawnattr_init(&attributes_);
    }
    spawn_arguments(const spawn_arguments&) = delete;
    spawn_arguments& operator=(const spawn_arguments&) = delete;
    ~spawn_arguments() {
        posix_spawnattr_destroy(&attributes_);
        posix_spawn_file_actions_destroy(&actions_);
    }

    void redirect(const unique_fd& fd, int at) noexcept {
        posix_spawn_file_actions_adddup2(&actions_, fd.get(), at);
    }
    /// Closes all but stdin, stdout and stderr, also descriptors opened without O_CLOEXEC.
    void close_others() noexcept {
        posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    }
    /// Sets a process group of its own, no blocked signals and default signal actions.
    void set_group_and_signals() noexcept {
        sigset_t none{};
        sigset_t all{};
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes_, &none);
        posix_spawnattr_setsigdefault(&attributes_, &all);
        posix_spawnattr_setpgroup(&attributes_, 0);
        posix_spawnattr_setflags(
            &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    }
    /// The pid of the child, or the errno of posix_spawnp(3).
    [[nodiscard]] result<pid_t> run(std::vector<std::string> command,
                                    std::vector<std::string> environment) noexcept {
        const auto argv = pointers_to(command);
        const auto variables = pointers_to(environment);
        pid_t child = 0;
        const int error = posix_spawnp(&child, argv.front(), &actions_, &attributes_, argv.data(),
                                       variables.data());
        if (error != 0) return failure_of(error);
        return child;
    }

 private:
    static std::vector<char*> pointers_to(std::vector<std::string>& strings) {
        std::vector<char*> all;
        all.reserve(strings.size() + 1);
        for (auto& each : strings) all.push_back(each.data());
        all.push_back(nullptr);
        return all;
    }

    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

bool is_executable(const std::string& path) noexcept {
    struct stat about{};
    return ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) &&
           ::access(path.c_str(), X_OK) == 0;
}

std::string_view name_of(std::string_view variable) noexcept {
    return variable.substr(0, variable.find('='));
}

std::vector<std::string> environment_with(const std::vector<std::string>& extra) {
    std::vector<std::string> all{extra};
    for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
        const auto name = name_of(*each);
        if (std::ranges::find(extra, name, name_of) == extra.end()) all.emplace_back(*each);
    }
    return all;
}

}  // namespace

result<child_process> child_process::start(const std::vector<std::string>& command,
                                           const std::vector<std::string>& extra) {
    auto in = make_pipe();
    auto out = make_pipe();
    auto err = make_pipe();
    for (const auto* each : {&in, &out, &err}) {
        if (!*each) return failure(each->error());
    }
    // One page is one slot, and a pipe is writable while a slot is free: with one slot, poll(2)
    // reports when the reader has read all of it (pipe(7), F_SETPIPE_SZ).
    const auto page = ::sysconf(_SC_PAGESIZE);
    if (::fcntl(in->write.get(), F_SETPIPE_SZ, page) != page) return failure_of(errno);
    spawn_arguments arguments;
    arguments.redirect(in->read, STDIN_FILENO);
    arguments.redirect(out->write, STDOUT_FILENO);
    arguments.redirect(err->write, STDERR_FILENO);
    arguments.close_others();
    arguments.set_group_and_signals();
    const auto pid = arguments.run(command, environment_with(extra));
    if (!pid) return failure(pid.error());
    child_process started{.pid = *pid,
                          .pidfd = unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0))},
                          .input = std::move(in->write),
                          .output = std::move(out->read),
                          .errors = std::move(err->read)};
    for (const auto* each : {&started.input, &started.output, &started.errors}) {
        set_nonblocking(*each);
    }
    if (!started.pidfd) {
        const int why = errno;
        started.signal_group(SIGKILL);
        ::waitpid(*pid, nullptr, 0);
        return failure_of(why);
    }
    return started;
}

void child_process::signal_group(int signal) const noexcept {
    if (pid > 0) ::kill(-pid, signal);
}

bool can_be_run(const std::string& name) {
    if (name.find('/') != std::string::npos) return is_executable(name);
    const char* path = std::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "/bin:/usr/bin";
    while (!rest.empty()) {
        const auto end = std::min(rest.find(':'), rest.size());
        const auto folder = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (is_executable(fmt::format("{}/{}", folder, name))) return true;
    }
    return false;
}

std::string how_it_ended(int status) {
    if (WIFSIGNALED(status)) {
        return fmt::format("ended by signal {} ({})", WTERMSIG(status),
                           ::strsignal(WTERMSIG(status)));
    }
    return fmt::format("ended with status {}", WEXITSTATUS(status));
}

}  // namespace sluice::compute
