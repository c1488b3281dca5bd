// Implements print() for results; passes the lines of servers to the output queue.
#include "sluice/cli/output.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <string>

#include "sluice/base/bytes.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/output_queue.hpp"
#include "sluice/cli/stop_signals.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

constexpr std::size_t most_kept = std::size_t{64} << 10;

std::string results;
int first_error = 0;

/// Writes pieces that a pipe takes without blocking once it is writable (pipe(7)). Between them it
/// checks for a stop: with a handler that restarts write(2) a blocked write would wait on.
int write_results(std::string_view text) {
    constexpr timespec tick = os::timespec_of(std::chrono::milliseconds{100});
    while (!text.empty()) {
        pollfd request{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
        const int ready = os::sys().ppoll({&request, 1}, &tick);
        if (stop_was_asked() && ready <= 0) return EINTR;
        if (ready <= 0) continue;
        const auto n = os::sys().write(STDOUT_FILENO, as_bytes(text.substr(0, PIPE_BUF)));
        if (n < 0 && n != -EINTR && n != -EAGAIN) return static_cast<int>(-n);
        if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
    }
    return 0;
}

}  // namespace

void print(std::string_view text) {
    results += text;
    if (results.size() > most_kept) flush_results();
}

void flush_results() {
    const int error = write_results(results);
    results.clear();
    if (first_error == 0) first_error = error;
}

void show_on_stderr(std::string_view text) noexcept {
    output().add(stream::err, text);
}

std::function<void(std::string_view)> lines_to_stdout(bool quiet) {
    if (quiet) return [](std::string_view) {};
    return [](std::string_view what) { output().add(stream::out, std::string{what} + '\n'); };
}

void transcript_on_stdout::add(std::string_view lines) noexcept {
    output().add(stream::out, lines);
}

int finish_output() {
    flush_results();
    if (const auto unread = output().finish(); unread > 0) {
        log(log_level::warn,
            fmt::format("{} lines were not shown: nothing reads standard output", unread));
    }
    return first_error;
}

}  // namespace sluice::cli
