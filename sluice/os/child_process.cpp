// Implements child_process over kernel::spawn(), pidfd_open(2) and waitpid(2).
#include "sluice/os/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "sluice/os/clock.hpp"
#include "sluice/os/pipe.hpp"

namespace sluice::os {
namespace {

// The default capacity of a pipe (pipe(7)).
constexpr std::size_t pipe_size = std::size_t{64} * 1024;

void set_nonblocking(const unique_fd& fd) noexcept {
    kernel& k = sys();
    static_cast<void>(k.fcntl(fd.get(), F_SETFL, k.fcntl(fd.get(), F_GETFL) | O_NONBLOCK));
}

/// The pointers of a null-terminated list, as execve(2) reads it. `strings` outlives them.
std::vector<char*> pointers_to(std::vector<std::string>& strings) {
    std::vector<char*> all;
    all.reserve(strings.size() + 1);
    for (auto& each : strings) all.push_back(each.data());
    all.push_back(nullptr);
    return all;
}

bool is_executable(const std::string& path) noexcept {
    struct stat about{};
    return sys().fstatat(AT_FDCWD, path.c_str(), about, 0) == 0 && S_ISREG(about.st_mode) &&
           sys().faccessat(AT_FDCWD, path.c_str(), X_OK, 0) == 0;
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
    // One page is one slot, and a pipe is writable while a slot is free: with one slot, poll(2)
    // reports when the reader has read all of it (pipe(7), F_SETPIPE_SZ).
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    auto in = pipe_ends::create(page);
    auto out = pipe_ends::create(pipe_size);
    auto err = pipe_ends::create(pipe_size);
    for (const auto* each : {&in, &out, &err}) {
        if (!*each) return failure(each->error());
    }
    if (in->capacity != page) return failure_of(EBUSY);
    auto words = command;
    auto variables = environment_with(extra);
    const auto arguments = pointers_to(words);
    const auto environment = pointers_to(variables);
    const pid_t pid = sys().spawn({.file = arguments.front(),
                                   .arguments = arguments.data(),
                                   .environment = environment.data(),
                                   .standard_fds = {in->out.get(), out->in.get(), err->in.get()}});
    if (pid < 0) return failure_of(-pid);
    auto started = adopt(pid);
    if (!started) return started;
    started->input = std::move(in->in);
    started->output = std::move(out->out);
    started->errors = std::move(err->out);
    for (const auto* each : {&started->input, &started->output, &started->errors}) {
        set_nonblocking(*each);
    }
    return started;
}

result<child_process> child_process::adopt(pid_t pid) noexcept {
    child_process adopted{pid};
    adopted.pidfd_.reset(sys().pidfd_open(pid));
    if (!adopted.pidfd_) return failure_of(-adopted.pidfd_.get());
    return adopted;
}

child_process::~child_process() {
    if (!to_reap_) return;
    signal(SIGKILL);
    reap();
}

void child_process::signal(int signal) const noexcept {
    if (to_reap_) sys().kill(pid_, signal);
}

void child_process::signal_group(int signal) const noexcept {
    if (to_reap_) sys().kill(-pid_, signal);
}

bool child_process::wait_for_end(std::chrono::milliseconds timeout) const noexcept {
    const auto until = clock::now() + timeout;
    pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    for (clock::duration left = timeout;; left = until - clock::now()) {
        const timespec limit = timespec_of(left);
        const int n = sys().ppoll({&ended, 1}, &limit);
        if (n != -EINTR) return n > 0;
    }
}

int child_process::reap() noexcept {
    int status = 0;
    while (sys().waitpid(pid_, &status, 0) == -EINTR) {
    }
    to_reap_ = false;
    return status;
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

}  // namespace sluice::os
