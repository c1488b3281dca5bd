// One buffer that is filled, one that is written.
#include "sluice/cli/line_printer.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <utility>

namespace sluice::cli {
namespace {

// A reader that stops for so long at the end of the program does not come back.
constexpr int patience_ms = 2000;

}  // namespace

line_printer::line_printer(int fd, std::size_t most)
    : fd_{fd}, most_{most}, thread_{[this] { work(); }} {}

line_printer::~line_printer() {
    {
        const std::lock_guard lock{mutex_};
        ending_ = true;
    }
    news_.notify_one();
    thread_.join();
}

void line_printer::add(std::string_view lines) noexcept {
    {
        const std::lock_guard lock{mutex_};
        if (broken_) return;
        if (waiting_.size() + lines.size() > most_) {
            dropped_ += static_cast<std::uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
            return;
        }
        waiting_.append(lines);
    }
    news_.notify_one();
}

void line_printer::work() {
    // Signals are for the thread that serves, and a closed pipe shows in write(2).
    sigset_t all{};
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    std::string writing;
    for (;;) {
        std::uint64_t dropped = 0;
        {
            std::unique_lock lock{mutex_};
            news_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
            if (waiting_.empty()) return;
            writing.clear();
            std::swap(writing, waiting_);
            dropped = std::exchange(dropped_, 0);
        }
        if (dropped > 0) writing += fmt::format("<< {} lines were not shown here >>\n", dropped);
        if (write_all(writing)) continue;
        const std::lock_guard lock{mutex_};
        broken_ = true;
        waiting_.clear();
    }
}

bool line_printer::write_all(std::string_view text) noexcept {
    while (!text.empty()) {
        pollfd room{.fd = fd_, .events = POLLOUT, .revents = 0};
        const int ready = ::poll(&room, 1, patience_ms);
        if (ready == 0) {
            const std::lock_guard lock{mutex_};
            if (ending_) return false;
            continue;
        }
        // Where there is room in a pipe that blocks, there is room for this much (pipe(7)); for
        // more it would wait, whoever wants to end.
        const auto n = ::write(fd_, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
        if (n < 0 && errno != EINTR && errno != EAGAIN) return false;
        if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

}  // namespace sluice::cli
