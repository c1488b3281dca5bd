// Implements write_pid_file() over flock(2) and rename(2).
#include "sluice/cli/pid_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <chrono>
#include <utility>

#include "sluice/cli/text.hpp"
#include "sluice/cli/text_file.hpp"
#include "sluice/net/unix_listener.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

/// Whether a living process holds the file.
bool is_held(const std::string& path) noexcept {
    os::kernel& sys = os::sys();
    const unique_fd found{
        sys.openat(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)};
    return found && sys.flock(found.get(), LOCK_EX | LOCK_NB) == -EWOULDBLOCK;
}

std::string first_line(const std::string& path) {
    const auto text = read_text(path);
    return text ? text->substr(0, text->find('\n')) : "unknown";
}

std::string why_not_written(const std::string& path, error why) {
    return fmt::format("cannot write --pid-file {}: {}", in_quotes(path), why.message());
}

result<prepared_pid_file> write_and_lock(std::string temporary) {
    os::kernel& sys = os::sys();
    constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
    constexpr mode_t for_all_to_read = 0644;
    unique_fd made{sys.openat(AT_FDCWD, temporary.c_str(), flags, for_all_to_read)};
    if (!made) return failure_of(-made.get());
    auto done = write_text(made.get(), fmt::format("{}\n", sys.getpid()));
    if (done && sys.flock(made.get(), LOCK_EX | LOCK_NB) < 0) done = failure_of(EWOULDBLOCK);
    if (done) return prepared_pid_file{.lock = std::move(made), .path = std::move(temporary)};
    sys.unlinkat(AT_FDCWD, temporary.c_str(), 0);
    return failure(done.error());
}

}  // namespace

std::expected<unique_fd, std::string> write_pid_file(const std::string& path) {
    constexpr auto timeout = std::chrono::seconds{1};
    constexpr auto pause = std::chrono::milliseconds{20};
    const auto until = os::clock::now() + timeout;
    for (;; os::sleep_for(pause)) {
        // Another server that begins now waits for this one.
        const auto alone = net::lock_directory_of(path);
        if (alone && !is_held(path)) {
            auto made = prepare_pid_file(path);
            if (!made) return std::unexpected{std::move(made.error())};
            return place_pid_file(std::move(*made), path);
        }
        if (os::clock::now() < until) continue;
        return std::unexpected{fmt::format(
            "--pid-file {} is that of process {}, which lives; end it, or name another file",
            in_quotes(path), first_line(path))};
    }
}

std::expected<prepared_pid_file, std::string> prepare_pid_file(const std::string& path) {
    auto made = write_and_lock(fmt::format("{}.{}", path, os::sys().getpid()));
    if (made) return std::move(*made);
    return std::unexpected{why_not_written(path, made.error())};
}

std::expected<unique_fd, std::string> place_pid_file(prepared_pid_file made,
                                                     const std::string& path) {
    os::kernel& sys = os::sys();
    const int failed = sys.renameat2(AT_FDCWD, made.path.c_str(), AT_FDCWD, path.c_str(), 0);
    if (failed == 0) return std::move(made.lock);
    sys.unlinkat(AT_FDCWD, made.path.c_str(), 0);
    return std::unexpected{why_not_written(path, error::system(-failed))};
}

}  // namespace sluice::cli
