// Implements lab::child: fork(2), execve(2) of /proc/self/exe, output pipes, termination.
#include "sluice/lab/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string_view>
#include <utility>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/pipe.hpp"
#include "sluice/os/signal_action.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::lab {
namespace {

using io::clock;
constexpr auto address_prefix = "listening on ";

constexpr std::size_t pipe_size = 65536;

/// Runs between fork(2) and execve(2): async-signal-safe calls only (signal-safety(7)).
[[noreturn]] void exec_child(const child_options& o, pid_t parent, char* const* words, int go,
                             int out, int err) {
    constexpr int exec_failed = 127;
    os::kernel& sys = os::sys();
    sys.setsid();
    sys.prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (sys.getppid() != parent) os::exit_at_once(exec_failed);
    if (!o.cores.empty()) {
        cpu_set_t cores;
        CPU_ZERO(&cores);
        for (const int core : o.cores) CPU_SET(static_cast<std::size_t>(core), &cores);
        sys.sched_setaffinity(cores);
    }
    for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) os::set_signal_action(each, SIG_DFL);
    const int null_device = sys.openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC);
    sys.dup2(null_device, STDIN_FILENO);
    sys.dup2(out, STDOUT_FILENO);
    sys.dup2(err, STDERR_FILENO);
    for (const int each : {o.inherited, o.also_inherited}) {
        if (each >= 0) sys.fcntl(each, F_SETFD, 0);
    }
    // Waits until the parent has attached the counters, so that they count from the first
    // instruction.
    std::byte byte{};
    if (sys.read(go, {&byte, 1}) < 0) os::exit_at_once(exec_failed);
    sys.execve("/proc/self/exe", words, environ);
    os::exit_at_once(exec_failed);
}

bool is_plain(std::string_view word) {
    constexpr std::string_view plain_characters = "@%+=:,./-_";
    return !word.empty() && std::ranges::all_of(word, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               plain_characters.contains(c);
    });
}

/// The last line that a program wrote to stderr, printable, 300 bytes at most.
std::string last_error_line(std::string_view text) {
    while (text.ends_with('\n')) text.remove_suffix(1);
    const auto line = text.substr(text.rfind('\n') + 1);
    constexpr std::size_t most = 300;
    return wire::printable(line.substr(0, most));
}

}  // namespace

std::expected<child, std::string> child::start(const child_options& o) {
    auto out = pipe_ends::create(pipe_size);
    auto err = pipe_ends::create(pipe_size);
    auto go = pipe_ends::create(pipe_size);
    for (const auto* each : {&out, &err, &go}) {
        if (!*each) return std::unexpected{"cannot make a pipe: " + each->error().message()};
    }
    std::vector<std::string> words{"sluice"};
    words.insert(words.end(), o.words.begin(), o.words.end());
    std::vector<char*> pointers;
    pointers.reserve(words.size() + 1);
    for (auto& each : words) pointers.push_back(each.data());
    pointers.push_back(nullptr);

    os::kernel& sys = os::sys();
    const pid_t parent = sys.getpid();
    const pid_t process = sys.fork();
    if (process < 0) {
        return std::unexpected{"cannot start a process: " + error::system(-process).message()};
    }
    if (process == 0) {
        exec_child(o, parent, pointers.data(), go->out.get(), out->in.get(), err->in.get());
    }
    auto adopted = os::child_process::adopt(process);
    if (!adopted) return std::unexpected{"cannot start a process: " + adopted.error().message()};
    child made{std::move(*adopted)};
    made.name_ = fmt::format(
        "sluice {}",
        fmt::join(o.words.begin(),
                  o.words.begin() + std::min<std::ptrdiff_t>(2, std::ssize(o.words)), " "));
    made.process_.output = std::move(out->out);
    made.process_.errors = std::move(err->out);
    if (o.counted) {
        made.switches_ = count_switches(process);
        made.calls_ = count_calls(process);
    }
    const auto failed = sys.write(go->in.get(), as_bytes("1"));
    if (failed < 0) {
        return std::unexpected{"cannot speak to a process: " +
                               error::system(static_cast<int>(-failed)).message()};
    }
    return made;
}

child::~child() {
    end();
}

watched child::watch() const noexcept {
    return {.process = process_.pid(), .switches = switches_.get(), .calls = calls_.get()};
}

bool child::read_pipes(int stop, clock::time_point until) {
    const auto left = until - clock::now();
    if (left <= clock::duration::zero()) return false;
    const timespec timeout = os::timespec_of(left);
    std::array<pollfd, 3> all{pollfd{.fd = process_.output.get(), .events = POLLIN, .revents = 0},
                              pollfd{.fd = process_.errors.get(), .events = POLLIN, .revents = 0},
                              pollfd{.fd = stop, .events = POLLIN, .revents = 0}};
    if (const int n = os::sys().ppoll(all, &timeout); n < 0 && n != -EINTR) return false;
    if (all[2].revents != 0) return false;
    const auto read_from = [](unique_fd& from, const pollfd& state, std::string& into) {
        if (state.revents == 0) return;
        std::array<std::byte, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
        const ssize_t got = os::sys().read(from.get(), buffer);
        if (got > 0) {
            into += as_text(const_bytes{buffer}.first(static_cast<std::size_t>(got)));
        } else {
            from.reset();
        }
    };
    read_from(process_.output, all[0], out_text_);
    read_from(process_.errors, all[1], err_text_);
    return process_.output || process_.errors;
}

std::string child::describe_failure(const std::string& what) const {
    const auto line = last_error_line(err_text_);
    if (line.empty()) return fmt::format("`{}` {}", name_, what);
    return fmt::format("`{}` {}: {}", name_, what, line);
}

std::expected<std::string, std::string> child::await_address(int stop,
                                                             std::chrono::milliseconds timeout) {
    const auto until = clock::now() + timeout;
    for (;;) {
        const auto at = err_text_.find(address_prefix);
        const auto end = at == std::string::npos ? at : err_text_.find(" (", at);
        if (end != std::string::npos) {
            const auto from = at + std::string_view{address_prefix}.size();
            return err_text_.substr(from, end - from);
        }
        if (!read_pipes(stop, until)) break;
    }
    const bool gone = !process_.output && !process_.errors;
    return std::unexpected{
        describe_failure(gone ? "ended before it listened" : "did not begin to listen")};
}

std::expected<std::string, std::string> child::await_output(int stop,
                                                            std::chrono::milliseconds timeout) {
    const auto until = clock::now() + timeout;
    while (read_pipes(stop, until)) {
    }
    if (process_.output || process_.errors) {
        const bool late = clock::now() >= until;
        auto reason = describe_failure(late ? "took too long" : "was interrupted");
        return std::unexpected{std::move(reason)};
    }
    const int status = process_.reap();
    if (WIFSIGNALED(status)) return std::unexpected{describe_failure("was killed")};
    if (WEXITSTATUS(status) != 0) return std::unexpected{describe_failure("failed")};
    return std::move(out_text_);
}

void child::end() noexcept {
    if (!process_.is_to_be_reaped()) return;
    // The lab has no use for work that a server does on shutdown, such as hashing a received file.
    constexpr auto timeout = std::chrono::milliseconds{60};
    process_.signal(SIGTERM);
    // The kernel signals its children (PR_SET_PDEATHSIG in the fork model).
    if (!process_.wait_for_end(timeout)) process_.signal(SIGKILL);
    process_.reap();
}

std::string shell_words(const std::vector<std::string>& words) {
    std::string line;
    for (const auto& word : words) {
        if (!line.empty()) line += ' ';
        if (is_plain(word)) {
            line += word;
            continue;
        }
        line += '\'';
        for (const char c : word) {
            if (c == '\'') {
                line += R"('\'')";
            } else {
                line += c;
            }
        }
        line += '\'';
    }
    return line;
}

}  // namespace sluice::lab
