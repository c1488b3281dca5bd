// Implements output_queue: a poll(2) loop over two descriptors, and writes that never block.
#include "sluice/cli/output_queue.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <mutex>
#include <new>
#include <span>
#include <utility>

#include "sluice/io/timer.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/open_again.hpp"
#include "sluice/os/wakeup.hpp"

namespace sluice::cli {
namespace {

using std::chrono::milliseconds;

// At exit, a reader that takes nothing for so long is given up.
constexpr milliseconds timeout_at_end{1000};
// How long a forked child, which has a single client, waits for a slow reader, in milliseconds.
constexpr int child_timeout = 100;
// Capacity that a buffer keeps after a burst, in bytes.
constexpr std::size_t small_buffer = std::size_t{64} << 10;

std::uint64_t count_lines(std::string_view text) noexcept {
    return static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

/// Whether both are the same pipe or terminal, which has a single reader.
bool same_reader(int a, int b) noexcept {
    struct stat first{};
    struct stat second{};
    os::kernel& sys = os::sys();
    if (sys.fstat(a, first) < 0 || sys.fstat(b, second) < 0 || S_ISREG(first.st_mode)) return false;
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

bool is_socket(int fd) noexcept {
    struct stat found{};
    return os::sys().fstat(fd, found) == 0 && S_ISSOCK(found.st_mode);
}

constexpr std::size_t index_of(stream where) noexcept {
    return static_cast<std::size_t>(where);
}

std::string usual_notice(std::uint64_t lines) {
    return fmt::format("<< {} lines were not shown here >>\n", lines);
}

/// False, with nothing added, if memory runs out.
bool add_notice(std::string& to, const drop_notice& notice, std::uint64_t lines) noexcept {
    if (lines == 0) return true;
    const std::size_t before = to.size();
    try {
        to += notice(lines);
        return true;
    } catch (const std::bad_alloc&) {
        to.resize(before);
        return false;
    }
}

}  // namespace

/// The state that the queue and its thread share; it lives until both have dropped it.
struct output_queue::state {
    struct lane {
        int fd = -1;
        std::string waiting;      // guarded by the mutex, as is all but `writing` and `written`
        std::string writing;      // of the thread, which changes it under the mutex
        std::size_t written = 0;  // bytes of `writing`
        std::uint64_t dropped = 0;
        std::uint64_t progress = 0;  // writes that returned, failed ones included
        bool busy = false;           // the thread has something to write
        bool broken = false;         // its reader is gone (EPIPE)
        drop_notice notice = usual_notice;

        [[nodiscard]] std::uint64_t unwritten_lines() const noexcept {
            return count_lines(waiting) + dropped + (busy ? count_lines(writing) : 0);
        }
    };

    os::mutex mutex;
    os::condition changed;  // wakes flush() and finish()
    std::array<lane, 2> lanes;
    os::wakeup wakeup;
    bool ending = false;
    bool ended = false;

    [[nodiscard]] bool is_empty() const noexcept {
        return std::ranges::none_of(
            lanes, [](const lane& l) { return l.busy || !l.waiting.empty() || l.dropped > 0; });
    }
    static void take_waiting(lane& l) {
        if (l.busy || (l.waiting.empty() && l.dropped == 0)) return;
        if (l.writing.capacity() > small_buffer) std::string{}.swap(l.writing);
        l.writing.clear();
        l.written = 0;
        std::swap(l.writing, l.waiting);
        if (add_notice(l.writing, l.notice, l.dropped)) l.dropped = 0;
        // If memory runs out for a notice alone, the next line brings it.
        l.busy = !l.writing.empty();
    }
    void write_some(lane& l) {
        const auto rest = std::string_view{l.writing}.substr(l.written);
        // A blocking pipe that poll(2) reports as writable takes this much (pipe(7)).
        const auto n = os::sys().write(l.fd, as_bytes(rest.substr(0, PIPE_BUF)));
        if (n == -EINTR || n == -EAGAIN) return;
        const std::lock_guard lock{mutex};
        ++l.progress;
        if (n >= 0) l.written += static_cast<std::size_t>(n);
        if (n == -EPIPE) l.broken = true;
        // Other errors may pass: a full disk may have space later.
        if (n < 0 && !l.broken) l.dropped += count_lines(rest);
        if (l.broken) l.waiting.clear();
        if (n < 0 || l.written == l.writing.size()) l.busy = false;
    }
};

output_queue::output_queue(std::array<int, 2> descriptors, std::size_t most)
    : descriptors_{descriptors}, most_{most}, first_process_{os::sys().getpid()} {}

output_queue::~output_queue() {
    finish();
}

void output_queue::set_notice(stream where, drop_notice notice) {
    const std::lock_guard starting{starting_};
    notices_[index_of(where)] = notice;
    if (!state_) return;
    const std::lock_guard lock{state_->mutex};
    state_->lanes[index_of(where)].notice = std::move(notice);
}

void output_queue::go_without_thread() {
    direct_ = true;
    for (std::size_t i = 0; i < descriptors_.size(); ++i) {
        own_[i] = open_again_nonblocking(descriptors_[i]);
    }
}

std::vector<int> output_queue::descriptors() const {
    std::vector<int> all;
    for (const auto& each : own_) {
        if (each) all.push_back(each.get());
    }
    return all;
}

bool output_queue::start() noexcept {
    const std::lock_guard starting{starting_};
    if (direct_) return false;
    if (state_) return true;
    if (same_reader(descriptors_[0], descriptors_[1])) err_lane_ = 0;
    std::shared_ptr<state> s;
    try {
        s = std::make_shared<state>();
        for (std::size_t i = 0; i < descriptors_.size(); ++i) {
            s->lanes[i].fd = descriptors_[i];
            if (notices_[i]) s->lanes[i].notice = notices_[i];
        }
    } catch (const std::bad_alloc&) {
        // The next line tries again.
        return false;
    }
    if (auto made = os::wakeup::create()) s->wakeup = std::move(*made);
    if (s->wakeup && (held_ || thread_.start([s] { run_thread(*s); }))) state_ = std::move(s);
    started_ = state_ != nullptr;
    direct_ = !started_;
    return started_;
}

void output_queue::release() noexcept {
    const std::lock_guard starting{starting_};
    if (!std::exchange(held_, false) || !state_) return;
    if (thread_.start([s = state_] { run_thread(*s); })) return;
    // Without a thread, what was kept is written at once.
    direct_ = true;
    started_ = false;
    for (const auto where : {stream::out, stream::err}) {
        write_now(where, std::exchange(state_->lanes[index_of(where)].waiting, {}));
    }
}

void output_queue::add(stream where, std::string_view text) noexcept {
    if (text.empty()) return;
    if (direct_ || (!started_ && !start())) return write_now(where, text);
    state& s = *state_;
    bool wake = false;
    {
        const std::lock_guard lock{s.mutex};
        auto& lane = s.lanes[lane_of(where)];
        if (lane.broken) return;
        if (lane.waiting.size() + text.size() > most_) {
            lane.dropped += count_lines(text);
            return;
        }
        wake = !lane.busy && lane.waiting.empty();
        try {
            lane.waiting.append(text);
        } catch (const std::bad_alloc&) {
            lane.dropped += count_lines(text);
            return;
        }
    }
    if (wake) s.wakeup.signal();
}

void output_queue::run_thread(state& s) noexcept {
    for (;;) {
        std::array<pollfd, 3> watched{
            {{s.wakeup.fd(), POLLIN, 0}, {-1, POLLOUT, 0}, {-1, POLLOUT, 0}}};
        {
            const std::lock_guard lock{s.mutex};
            for (std::size_t i = 0; i < s.lanes.size(); ++i) {
                s.take_waiting(s.lanes[i]);
                if (s.lanes[i].busy) watched[i + 1].fd = s.lanes[i].fd;
            }
            s.changed.notify_all();
            if (s.ending && s.is_empty()) {
                s.ended = true;
                s.changed.notify_all();
                return;
            }
        }
        if (os::sys().ppoll(watched, nullptr) < 0) continue;
        if (watched[0].revents != 0) s.wakeup.clear();
        for (std::size_t i = 0; i < s.lanes.size(); ++i) {
            if (watched[i + 1].revents != 0) s.write_some(s.lanes[i]);
        }
    }
}

bool output_queue::write_piece(std::size_t lane, std::string_view& text, int wait_ms) noexcept {
    const bool blocks = !own_[lane];
    const int fd = blocks ? descriptors_[lane] : own_[lane].get();
    const auto poll_writable = [fd, wait_ms] {
        pollfd request{.fd = fd, .events = POLLOUT, .revents = 0};
        const timespec timeout = os::timespec_of(milliseconds{wait_ms});
        return os::sys().ppoll({&request, 1}, &timeout);
    };
    if (blocks) {
        if (const int ready = poll_writable(); ready <= 0) return ready < 0;
    }
    const auto piece = as_bytes(text.substr(0, PIPE_BUF));
    const auto n = is_socket(fd) ? os::sys().send(fd, piece, MSG_DONTWAIT | MSG_NOSIGNAL)
                                 : os::sys().write(fd, piece);
    if (n == -EINTR) return true;
    // write(2) comes first: it fills the last page too, where poll(2) wants a free one.
    if (n == -EAGAIN && !blocks && wait_ms > 0) return poll_writable() != 0;
    if (n == -EAGAIN) return false;
    // Any other error drops the rest: its reader is gone.
    text.remove_prefix(n < 0 ? text.size() : static_cast<std::size_t>(n));
    return true;
}

void output_queue::write_now(stream where, std::string_view text) noexcept {
    const std::size_t lane = index_of(where);
    shared_counts& all = *shared_;
    const auto lines = count_lines(text);
    const auto missing = all.dropped[lane].exchange(0);
    std::string with_notice;
    if (missing > 0 || all.torn[lane]) {
        try {
            if (all.torn[lane]) with_notice += '\n';
            if (missing > 0) {
                with_notice += notices_[lane] ? notices_[lane](missing) : usual_notice(missing);
            }
            with_notice += text;
        } catch (const std::bad_alloc&) {
            all.dropped[lane] += missing + lines;
            return;
        }
        all.torn[lane] = false;
        text = with_notice;
    }
    const bool waits = os::sys().getpid() != first_process_ && !all.stuck[lane];
    const std::size_t size = text.size();
    while (!text.empty()) {
        if (write_piece(lane, text, waits ? child_timeout : 0)) continue;
        all.dropped[lane] += missing + lines;
        all.stuck[lane] = true;
        all.torn[lane] = text.size() < size;
        return;
    }
    all.stuck[lane] = false;
}

bool output_queue::flush(milliseconds timeout) noexcept {
    if (!state_) return true;
    state& s = *state_;
    std::unique_lock lock{s.mutex};
    const auto progress = [&s] { return s.lanes[0].progress + s.lanes[1].progress; };
    const auto last = io::clock::now() + 3 * timeout;
    while (!s.is_empty()) {
        const auto before = progress();
        const auto until = std::min(last, io::clock::now() + timeout);
        const bool progressed =
            s.changed.wait_until(lock, until, [&] { return s.is_empty() || progress() != before; });
        if (!progressed || io::clock::now() >= last) return s.is_empty();
    }
    return true;
}

std::uint64_t output_queue::finish() noexcept {
    constexpr auto out = index_of(stream::out);
    release();
    if (!started_) return shared_->dropped[out].exchange(0);
    if (!thread_.started()) return 0;
    direct_ = true;
    const bool all = flush(timeout_at_end);
    std::uint64_t unread = 0;
    bool ended = false;
    {
        std::unique_lock lock{state_->mutex};
        unread = state_->lanes[out].unwritten_lines();
        state_->ending = true;
        state_->wakeup.signal();
        // Another thread may have added text since.
        ended =
            all && state_->changed.wait_for(lock, timeout_at_end, [this] { return state_->ended; });
    }
    if (ended) {
        thread_.join();
    } else {
        thread_.detach();
    }
    return unread;
}

output_queue& output() noexcept {
    static output_queue only{{STDOUT_FILENO, STDERR_FILENO}};
    return only;
}

}  // namespace sluice::cli
