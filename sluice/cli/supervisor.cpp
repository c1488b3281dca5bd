// Implements the server's side of the supervisor: forking it, and the messages.
#include "sluice/cli/supervisor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#include "sluice/base/parse_number.hpp"
#include "sluice/base/result.hpp"
#include "sluice/cli/inherited_sockets.hpp"
#include "sluice/cli/supervisor_process.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/descriptor_passing.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

// For what the supervisor does at once: it renames and removes files.
constexpr auto longest_wait = std::chrono::seconds{1};

/// Waits until the other end has sent something, or is gone. False if it has not by `until`.
bool wait_for_answer(int socket, io::time_point until) noexcept {
    pollfd watched{.fd = socket, .events = POLLIN, .revents = 0};
    const timespec left = os::timespec_of(until - io::clock::now());
    const int n = os::sys().ppoll({&watched, 1}, &left);
    return n > 0 || n == -EINTR;
}

/// In a child of the server: starts the supervisor and ends, so that the server, which may wait for
/// children of its own, has none that it does not know.
[[noreturn]] void fork_again(unique_fd socket, const sigset_t& signals) noexcept {
    if (os::sys().fork() == 0) run_supervisor(std::move(socket), signals);
    os::exit_at_once(EXIT_SUCCESS);
}

}  // namespace

void supervisor::start() noexcept {
    if (socket_) return;
    auto made = os::make_message_pair();
    if (!made) return;
    os::kernel& sys = os::sys();
    // A Ctrl-C is for the server: the supervisor has all signals blocked, and ends when it does.
    sigset_t all{};
    sigset_t before{};
    sigfillset(&all);
    sys.mask_signals(SIG_SETMASK, &all, &before);
    const pid_t child = sys.fork();
    if (child == 0) {
        made->one.reset();
        fork_again(std::move(made->other), before);
    }
    int status = 0;
    while (child > 0 && sys.waitpid(child, &status, 0) == -EINTR) {
    }
    sys.mask_signals(SIG_SETMASK, &before, nullptr);
    if (child > 0) socket_ = std::move(made->one);
}

void supervisor::remove_at_end(std::string_view path) noexcept {
    static_cast<void>(tell_of_file(path, path));
}

bool supervisor::place_at_confirmation(std::string_view made, std::string_view path) noexcept {
    if (!tell_of_file(made, path)) return false;
    places_files_ = true;
    return true;
}

bool supervisor::tell_of_file(std::string_view path, std::string_view place) noexcept try {
    if (!socket_) return false;
    os::kernel& sys = os::sys();
    const auto slash = path.rfind('/');
    const std::string name{path.substr(slash + 1)};
    const auto last_name = place.substr(place.rfind('/') + 1);
    const std::string directory{slash == std::string_view::npos ? "."
                                : slash == 0                    ? "/"
                                                                : path.substr(0, slash)};
    const unique_fd opened{
        sys.openat(AT_FDCWD, directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    struct stat found{};
    if (!opened || sys.fstatat(opened.get(), name.c_str(), found, AT_SYMLINK_NOFOLLOW) < 0) {
        return false;
    }
    const int one = opened.get();
    const auto text =
        fmt::format("{}{} {} {}/{}", keep_file, found.st_dev, found.st_ino, name, last_name);
    return os::send_message(socket_.get(), text, {&one, 1}).has_value();
} catch (const std::bad_alloc&) {
    return false;
}

void supervisor::wait_for_confirmation() noexcept {
    tell(await_confirmation);
}

result<void> supervisor::confirm() noexcept {
    tell(confirmed);
    if (!socket_ || !std::exchange(places_files_, false)) return {};
    const auto until = io::after(io::clock::now(), longest_wait);
    for (;;) {
        auto answer = os::receive_message(socket_.get());
        if (answer && answer->text.empty()) return failure(fault::ended);
        if (answer && answer->text.front() == placed) {
            const auto failed = parse_number<int>(std::string_view{answer->text}.substr(1));
            if (failed == 0) return {};
            return failure_of(failed.value_or(EIO));
        }
        if (!answer && !answer.error().is(EAGAIN)) return failure(answer.error());
        if (!answer && !wait_for_answer(socket_.get(), until)) return failure(fault::timed_out);
    }
}

void supervisor::seal() noexcept {
    tell(sealed);
}

void supervisor::tell(char what) noexcept {
    if (socket_) static_cast<void>(os::send_message(socket_.get(), {&what, 1}));
}

std::expected<void, std::string> supervisor::start_successor(std::span<const handed> sockets) {
    if (!socket_) {
        return std::unexpected{"the process that would start it could not be had at the start"};
    }
    std::string text{start_program};
    std::vector<int> descriptors;
    for (const auto& each : sockets) {
        text += fmt::format("{}{}:", each.door,
                            each.removes_file ? std::string_view{&inherited_sockets::file_mark, 1}
                                              : std::string_view{});
        descriptors.push_back(each.socket);
    }
    const auto sent = os::send_message(socket_.get(), text, descriptors);
    if (sent) return {};
    return std::unexpected{fmt::format("the process that would start it cannot be asked ({})",
                                       sent.error().message())};
}

std::optional<supervisor::outcome> supervisor::poll_successor() noexcept try {
    auto answer = os::receive_message(socket_.get());
    if (!answer && answer.error().is(EAGAIN)) return std::nullopt;
    if (!answer) return std::unexpected{answer.error().message()};
    if (answer->text.empty()) {
        socket_.reset();
        return std::unexpected{"the process that would start it is gone"};
    }
    // That of a confirm() that waited no longer.
    if (answer->text.front() == placed) return std::nullopt;
    const auto rest = answer->text.substr(1);
    if (answer->text.front() != successor_serves) return std::unexpected{rest};
    return parse_number<pid_t>(rest).value_or(0);
} catch (const std::bad_alloc&) {
    return std::nullopt;
}

void supervisor::end() noexcept {
    if (!socket_) return;
    os::sys().shutdown(socket_.get(), SHUT_WR);
    static_cast<void>(wait_for_answer(socket_.get(), io::after(io::clock::now(), longest_wait)));
    socket_.reset();
}

supervisor& server_supervisor() noexcept {
    static supervisor one;
    return one;
}

}  // namespace sluice::cli
