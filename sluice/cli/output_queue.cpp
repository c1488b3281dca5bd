// Implements output_queue: a poll(2) loop over its descriptors, and writes that never block.
#include "sluice/cli/output_queue.hpp"

#include <fcntl.h>
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

#include "sluice/base/relaxed.hpp"
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

// How long text of the access log waits for more, so that a busy server wakes the thread rarely,
// and the bytes at which it waits no longer.
constexpr milliseconds access_delay{100};
constexpr std::size_t access_enough = std::size_t{256} << 10;
// A file takes this much at once.
constexpr std::size_t file_piece = std::size_t{64} << 10;

std::uint64_t count_lines(std::string_view text, char end = '\n') noexcept {
    return static_cast<std::uint64_t>(std::ranges::count(text, end));
}

bool is_file(int fd) noexcept {
    struct stat found{};
    return os::sys().fstat(fd, found) == 0 && S_ISREG(found.st_mode);
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
        std::uint64_t progress = 0;      // writes that returned, failed ones included
        bool busy = false;               // the thread has something to write
        bool broken = false;             // its reader is gone (EPIPE)
        bool torn = false;               // the last line that was written lacks its end
        bool urgent = false;             // what waits does not wait for more
        io::time_point due = io::never;  // when it does not any more
        char end = '\n';                 // '\0' of datagrams
        std::size_t piece = PIPE_BUF;
        drop_notice notice = usual_notice;

        [[nodiscard]] std::uint64_t unwritten_lines() const noexcept {
            return count_lines(waiting, end) + dropped + (busy ? count_lines(writing, end) : 0);
        }
    };

    os::mutex mutex;
    os::condition changed;  // wakes flush() and finish()
    std::array<lane, stream_count> lanes;
    os::wakeup wakeup;
    std::atomic<std::uint64_t> access_lost = 0;
    bool hurried = false;  // a flush() waits
    bool ending = false;
    bool ended = false;

    [[nodiscard]] bool is_empty() const noexcept {
        return std::ranges::none_of(
            lanes, [](const lane& l) { return l.busy || !l.waiting.empty() || l.dropped > 0; });
    }
    void drop(lane& l, std::uint64_t lines) noexcept {
        if (&l != &lanes[access_lane]) {
            l.dropped += lines;
        } else {
            access_lost.fetch_add(lines, relaxed);
        }
    }
    /// What waits is due, or will be at that time.
    [[nodiscard]] bool is_due(lane& l, io::time_point now) const noexcept {
        if (l.urgent || hurried || ending || l.waiting.size() >= access_enough) return true;
        if (l.due == io::never) l.due = now + access_delay;
        return l.due <= now;
    }
    void take_waiting(lane& l, io::time_point now) {
        if (l.busy || (l.waiting.empty() && l.dropped == 0)) return;
        if (!is_due(l, now)) return;
        if (l.writing.capacity() > small_buffer) std::string{}.swap(l.writing);
        l.writing.clear();
        l.written = 0;
        l.due = io::never;
        if (l.torn) {
            // What waits comes after it.
            l.writing.assign(1, l.end);
            l.busy = true;
            return;
        }
        l.urgent = false;
        std::swap(l.writing, l.waiting);
        if (add_notice(l.writing, l.notice, l.dropped)) l.dropped = 0;
        // If memory runs out for a notice alone, the next line brings it.
        l.busy = !l.writing.empty();
    }
    /// The most that one write takes of what is left.
    [[nodiscard]] static std::string_view next_piece(const lane& l) noexcept {
        const auto rest = std::string_view{l.writing}.substr(l.written);
        if (l.end == '\0') return rest.substr(0, rest.find(l.end));
        // A blocking pipe that poll(2) reports as writable takes PIPE_BUF bytes (pipe(7)).
        return rest.substr(0, l.piece);
    }
    void write_some(lane& l) {
        const auto piece = next_piece(l);
        const auto n = l.end == '\0'
                           ? os::sys().send(l.fd, as_bytes(piece), MSG_DONTWAIT | MSG_NOSIGNAL)
                           : os::sys().write(l.fd, as_bytes(piece));
        if (n == -EINTR || n == -EAGAIN) return;
        const std::lock_guard lock{mutex};
        ++l.progress;
        if (l.end == '\0') {
            l.written += piece.size() + 1;
            if (n < 0) drop(l, 1);
            l.busy = l.written < l.writing.size();
            return;
        }
        if (n >= 0) l.written += static_cast<std::size_t>(n);
        if (n == -EPIPE) l.broken = true;
        // Other errors may pass: a full disk may have space later.
        if (n < 0 && !l.broken) drop_rest(l);
        if (n > 0) l.torn = false;
        if (l.broken) l.waiting.clear();
        if (n < 0 || l.written == l.writing.size()) l.busy = false;
    }
    void drop_rest(lane& l) noexcept {
        if (l.torn) {
            // Not even its end can be written, which comes before all that waits.
            drop(l, count_lines(l.waiting, l.end));
            l.waiting.clear();
            return;
        }
        l.torn = l.written > 0 && l.writing[l.written - 1] != l.end;
        drop(l, count_lines(std::string_view{l.writing}.substr(l.written), l.end));
    }
};

output_queue::output_queue(std::array<int, 2> descriptors, std::size_t most)
    : descriptors_{descriptors[0], descriptors[1], -1},
      most_{most},
      first_process_{os::sys().getpid()} {}

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

void output_queue::open_access(unique_fd to, access_target how) noexcept {
    const std::lock_guard starting{starting_};
    own_[access_lane] = std::move(to);
    access_target_ = how;
    if (!state_) return;
    const std::lock_guard lock{state_->mutex};
    add_access_lane();
}

void output_queue::add_access_lane() noexcept {
    auto& lane = state_->lanes[access_lane];
    lane.fd = own_[access_lane].get();
    lane.end = end_in(access_lane);
    if (is_file(lane.fd)) lane.piece = file_piece;
}

// The descriptor keeps its number, which the thread and children of the fork model know.
result<void> output_queue::replace_access(unique_fd by) noexcept {
    os::kernel& sys = os::sys();
    const int replaced = sys.dup2(by.get(), own_[access_lane].get());
    if (replaced < 0) return failure_of(-replaced);
    sys.fcntl(own_[access_lane].get(), F_SETFD, FD_CLOEXEC);
    return {};
}

std::uint64_t output_queue::lost_of_access() const noexcept {
    const auto of_thread = started_ ? state_->access_lost.load(relaxed) : 0;
    return of_thread + shared_->dropped[access_lane].load(relaxed);
}

void output_queue::go_without_thread() {
    direct_ = true;
    for (const auto where : {stream::out, stream::err}) {
        const auto i = index_of(where);
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
    if (started_ && own_[access_lane]) add_access_lane();
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
    for (const auto where : {stream::out, stream::err, stream::access}) {
        write_now(where, std::exchange(state_->lanes[index_of(where)].waiting, {}));
    }
}

void output_queue::add(stream where, std::string_view text) noexcept {
    if (text.empty() || is_closed(where)) return;
    if (direct_ || (!started_ && !start())) return write_now(where, text);
    state& s = *state_;
    bool wake = false;
    {
        const std::lock_guard lock{s.mutex};
        auto& lane = s.lanes[lane_of(where)];
        if (lane.broken) return;
        const std::size_t before = lane.waiting.size();
        if (before + text.size() > most_) {
            s.drop(lane, count_lines(text, lane.end));
            return;
        }
        try {
            lane.waiting.append(text);
        } catch (const std::bad_alloc&) {
            s.drop(lane, count_lines(text, lane.end));
            return;
        }
        const bool is_urgent = where != stream::access;
        const bool is_enough =
            before < access_enough && lane.waiting.size() >= access_enough && !lane.urgent;
        wake = !lane.busy && (before == 0 || is_enough || (is_urgent && !lane.urgent));
        lane.urgent = lane.urgent || is_urgent;
    }
    if (wake) s.wakeup.signal();
}

void output_queue::run_thread(state& s) noexcept {
    for (;;) {
        std::array<pollfd, 1 + stream_count> watched{};
        watched[0] = {s.wakeup.fd(), POLLIN, 0};
        auto until = io::never;
        {
            const std::lock_guard lock{s.mutex};
            const auto now = io::clock::now();
            for (std::size_t i = 0; i < s.lanes.size(); ++i) {
                s.take_waiting(s.lanes[i], now);
                watched[i + 1] = {s.lanes[i].busy ? s.lanes[i].fd : -1, POLLOUT, 0};
                until = std::min(until, s.lanes[i].due);
            }
            s.changed.notify_all();
            if (s.ending && s.is_empty()) {
                s.ended = true;
                s.changed.notify_all();
                return;
            }
        }
        const timespec left = os::timespec_of(until - io::clock::now());
        if (os::sys().ppoll(watched, until == io::never ? nullptr : &left) < 0) continue;
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
    // Any other error drops the rest: its reader is gone. Those of the access log are counted.
    if (n < 0 && lane == access_lane) ++shared_->dropped[lane];
    text.remove_prefix(n < 0 ? text.size() : static_cast<std::size_t>(n));
    return true;
}

void output_queue::write_now(stream where, std::string_view text) noexcept {
    if (text.empty() || is_closed(where)) return;
    const std::size_t lane = where == stream::access ? lane_of(where) : index_of(where);
    shared_counts& all = *shared_;
    const auto lines = count_lines(text, end_in(lane));
    if (end_in(lane) == '\0') text = text.substr(0, text.find('\0'));
    // Those of the access log are not told in their place.
    const auto missing = lane == access_lane ? 0 : all.dropped[lane].exchange(0);
    std::string with_notice;
    if (missing > 0 || all.torn[lane]) {
        try {
            if (all.torn[lane]) with_notice += end_in(lane);
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
    const auto progress = [&s] {
        std::uint64_t sum = 0;
        for (const auto& each : s.lanes) sum += each.progress;
        return sum;
    };
    s.hurried = true;
    s.wakeup.signal();
    const auto last = io::clock::now() + 3 * timeout;
    while (!s.is_empty()) {
        const auto before = progress();
        const auto until = std::min(last, io::clock::now() + timeout);
        const bool progressed =
            s.changed.wait_until(lock, until, [&] { return s.is_empty() || progress() != before; });
        if (!progressed || io::clock::now() >= last) break;
    }
    s.hurried = false;
    return s.is_empty();
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
