// Implements uring_engine: submission, completion and cancellation over io_uring_enter(2).
#include "sluice/io/engines/uring.hpp"

#include <poll.h>

#include <cerrno>
#include <ctime>
#include <new>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/base/planted_bug.hpp"
#include "sluice/base/sometimes.hpp"

namespace sluice::io {
namespace {

// Kind of a completion, in the low bits of its user data beside the address of the operation.
enum class tag : std::uint64_t {
    own = 0,         ///< the operation itself
    cancel = 1,      ///< the request to cancel it
    poll = 2,        ///< the poll in place of it
    registered = 3,  ///< a send from a registered buffer: the buffer's number instead of an address
};
constexpr std::uint64_t tag_bits = 7;
constexpr unsigned number_shift = 3;
constexpr std::uint64_t wakeup_data = tag_bits;  // no operation, an impossible tag
constexpr std::uint16_t buffer_group = 0;

std::uint64_t data_of(const op& o, tag t) noexcept {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): user_data carries an address
    return reinterpret_cast<std::uintptr_t>(&o) | static_cast<std::uint64_t>(t);
}
// The notification of a buffer may come after its operation is gone.
std::uint64_t data_of_buffer(int number) noexcept {
    return (static_cast<std::uint64_t>(number) << number_shift) |
           static_cast<std::uint64_t>(tag::registered);
}
int buffer_of(std::uint64_t data) noexcept {
    return static_cast<int>(data >> number_shift);
}
op& op_of(std::uint64_t data) noexcept {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast,performance-no-int-to-ptr)
    return *reinterpret_cast<op*>(data & ~tag_bits);
}
static_assert(alignof(op) > tag_bits);

}  // namespace

result<std::unique_ptr<engine>> uring_engine::create(const engine_options& o) {
    std::unique_ptr<uring_engine> made{new uring_engine{o}};
    if (auto ready = made->set_up(o); !ready) return failure(ready.error());
    return std::unique_ptr<engine>{std::move(made)};
}

uring_engine::uring_engine(const engine_options& o)
    : engine{o}, registered_{ring_, o.registered, counters_} {}

uring_engine::~uring_engine() {
    wait_for_senders();
    // Before the memory that the kernel may still use.
    ring_.close();
}

result<void> uring_engine::set_up(const engine_options& o) noexcept {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                   IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP;
    if (!o.ring_operations.empty()) params.flags |= IORING_SETUP_R_DISABLED;
    params.cq_entries = o.completion_entries;
    if (auto opened = ring_.open(o.ring_entries, params); !opened) return opened;
    ring_.register_descriptor();
    auto wakeup = os::wakeup::create();
    if (!wakeup) return failure(wakeup.error());
    wakeup_ = std::move(*wakeup);
    try {
        add_attempt_buffers();
        if (auto registered = register_buffers(); !registered) return registered;
        if (!o.ring_operations.empty()) return ring_.enable_for(o.ring_operations);
    } catch (const std::bad_alloc&) {
        return failure_of(ENOMEM);
    }
    return {};
}

result<void> uring_engine::register_buffers() noexcept {
    const std::uint32_t count = buffers().limits().count;
    auto memory = mapping::create(count * sizeof(io_uring_buf));
    if (!memory) return failure(memory.error());
    buffer_ring_ = std::move(*memory);
    io_uring_buf_reg request{};
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the kernel takes an address
    request.ring_addr = reinterpret_cast<std::uintptr_t>(buffer_ring_.data());
    request.ring_entries = count;
    request.bgid = buffer_group;
    if (const int r = ring_.register_with(IORING_REGISTER_PBUF_RING, &request, 1); r < 0) {
        return failure_of(-r);
    }
    auto* ring = static_cast<io_uring_buf_ring*>(buffer_ring_.data());
    io_uring_buf_ring_init(ring);
    buffers().publish_in(ring);
    return {};
}

void uring_engine::wake() noexcept {
    wakeup_.signal();
}

io_uring_sqe* uring_engine::free_entry() noexcept {
    if (io_uring_sqe* entry = ring_.next_entry()) return entry;
    // Frees entries now rather than at the end of the turn.
    ring_.submit();
    return ring_.next_entry();
}

bool uring_engine::start(op& o) noexcept {
    if (o.kind().prepare == nullptr) return attempt_or_poll(o);
    if (o.cancelled_) {
        static_cast<void>(completed(o, {.result = -ECANCELED}));
        return true;
    }
    hand_over(o);
    return false;
}

bool uring_engine::attempt_or_poll(op& o) noexcept {
    switch (attempt(o)) {
        case outcome::over: return true;
        case outcome::not_ready: poll_for(o); return false;
        case outcome::no_buffer: wait_for_buffer(o); return false;
    }
    return false;
}

void uring_engine::hand_over(op& o) noexcept {
    io_uring_sqe* entry = waiting_.empty() ? free_entry() : nullptr;
    if (entry != nullptr) return fill(o, *entry);
    ++counters_.overflows;
    sometimes(rare_path::uring_queue_full);
    o.state_ = op::state::unsent;
    waiting_.push_back(o);
}

void uring_engine::fill(op& o, io_uring_sqe& entry) noexcept {
    o.kind().prepare(o, entry);
    if (o.kind().takes_buffer) {
        entry.flags |= IOSQE_BUFFER_SELECT;
        entry.buf_group = buffer_group;
    }
    if (o.kind().sends_registered) registered_.begin_send(o.buffer_, o);
    io_uring_sqe_set_data64(&entry, submitted_data(o));
    o.state_ = op::state::kernel;
    o.pending_completions_ = 1;
}

// A notification comes with the data of its operation, which may be gone by then.
std::uint64_t uring_engine::submitted_data(const op& o) noexcept {
    return o.kind().sends_registered ? data_of_buffer(o.buffer_) : data_of(o, tag::own);
}

void uring_engine::poll_for(op& o) noexcept {
    io_uring_sqe* entry = free_entry();
    if (entry == nullptr) {
        // Attempted again in the next turn, when there is a free entry.
        queue(o);
        return;
    }
    io_uring_prep_poll_add(entry, o.fd(), o.kind().want == interest::in ? POLLIN : POLLOUT);
    io_uring_sqe_set_data64(entry, data_of(o, tag::poll));
    o.state_ = op::state::parked;
    o.pending_completions_ = 1;
}

void uring_engine::withdraw(op& o) noexcept {
    if (send_cancel(o)) return;
    sometimes(rare_path::uring_cancel_unsent);
    o.cancel_unsent_ = true;
    ++unsent_cancels_;
}

bool uring_engine::send_cancel(op& o) noexcept {
    io_uring_sqe* entry = free_entry();
    if (entry == nullptr) return false;
    const bool polls = o.state_ == op::state::parked && !planted(bug::compute_uring_wrong_data);
    const std::uint64_t target = polls ? data_of(o, tag::poll) : submitted_data(o);
    io_uring_prep_cancel64(entry, target, 0);
    io_uring_sqe_set_data64(entry, data_of(o, tag::cancel));
    ++o.pending_completions_;
    return true;
}

// The queue was full when these were requested, which takes a kernel that refuses submissions; so a
// slow search will do. An operation that has ended meanwhile has lost its mark.
void uring_engine::send_cancels() noexcept {
    unsent_cancels_ = 0;
    for (int fd = 0; fd < descriptors_seen(); ++fd) {
        for (op* o : {slot(fd).in, slot(fd).out}) {
            if (o == nullptr || !o->cancel_unsent_) continue;
            o->cancel_unsent_ = !send_cancel(*o);
            if (o->cancel_unsent_) ++unsent_cancels_;
        }
    }
}

void uring_engine::watch_wakeup() noexcept {
    io_uring_sqe* entry = free_entry();
    if (entry == nullptr) return;
    io_uring_prep_poll_multishot(entry, wakeup_.fd(), POLLIN);
    io_uring_sqe_set_data64(entry, wakeup_data);
    wakeup_watched_ = true;
}

void uring_engine::flush_waiting() noexcept {
    if (!wakeup_watched_) watch_wakeup();
    if (unsent_cancels_ > 0) send_cancels();
    while (!waiting_.empty()) {
        io_uring_sqe* entry = ring_.next_entry();
        if (entry == nullptr) return;
        fill(static_cast<op&>(waiting_.pop_front()), *entry);
    }
}

void uring_engine::wait(time_point until) noexcept {
    flush_waiting();
    // The queue is full: what found no place in it is due in the next turn.
    const bool is_behind = !wakeup_watched_ || unsent_cancels_ > 0 || !waiting_.empty();
    if (until == time_point::min() || is_behind) {
        ring_.submit_and_get_events();
    } else if (until == never) {
        ring_.submit_and_wait(nullptr);
    } else {
        const timespec left = time_left(until);
        ring_.submit_and_wait(&left);
    }
    update_clock();
    ring_.take_completions([this](const io_uring_cqe& cqe) { take_in(cqe); });
    if (!ring_.is_drained()) ++counters_.completion_overflows;
}

void uring_engine::take_in(const io_uring_cqe& cqe) noexcept {
    const std::uint64_t data = cqe.user_data;
    if (data == wakeup_data) {
        const bool ended = (cqe.flags & IORING_CQE_F_MORE) == 0;
        sometimes(rare_path::uring_wakeup_watched_again, ended);
        if (ended && !planted(bug::chat_uring_wakeup_not_watched)) wakeup_watched_ = false;
        return;
    }
    switch (static_cast<tag>(data & tag_bits)) {
        case tag::own: own_completion(op_of(data), cqe.res, cqe.flags); break;
        case tag::poll: poll_completion(op_of(data), cqe.res); break;
        case tag::registered: registered_completion(buffer_of(data), cqe); break;
        case tag::cancel: {
            op& o = op_of(data);
            --o.pending_completions_;
            finish_if_complete(o);
            break;
        }
    }
}

void uring_engine::own_completion(op& o, int result, unsigned flags) noexcept {
    completion c{.result = result, .more = (flags & IORING_CQE_F_MORE) != 0};
    const bool ended_early = o.kind().multishot && !c.more && result > 0;
    sometimes(rare_path::uring_ended_early, ended_early);
    if (!c.more && !(ended_early && planted(bug::talk_uring_stream_not_repeated))) {
        --o.pending_completions_;
    }
    sometimes(rare_path::uring_result_beat_cancel, o.cancelled_ && result > 0);
    if ((flags & IORING_CQE_F_BUFFER) != 0) {
        c.buffer = static_cast<int>(flags >> IORING_CQE_BUFFER_SHIFT);
        buffers().taken_by_kernel();
    }
    o.next_ = next_step(o, c);
    if (o.next_ == op::step::settle && c.result != -ECANCELED) notify_reader(o);
    finish_if_complete(o);
}

// IORING_CQE_F_MORE of a send announces its notification, for which the buffer waits.
void uring_engine::registered_completion(int buffer, const io_uring_cqe& cqe) noexcept {
    if ((cqe.flags & IORING_CQE_F_NOTIF) != 0) return registered_.notification_came(buffer);
    op& o = registered_.result_came(buffer, (cqe.flags & IORING_CQE_F_MORE) != 0);
    own_completion(o, cqe.res, 0);
}

// The reader becomes ready at the end of its stream, at once, so that a reader that waits anew
// while a cancel is still pending can be told from it.
void uring_engine::notify_reader(op& o) noexcept {
    if (o.kind().multishot && o.awaited()) ready().push(o);
}

op::step uring_engine::next_step(op& o, const completion& c) noexcept {
    // Only paused: the reader is not resumed.
    if (c.result == -ECANCELED && o.pausing_) return op::step::settle;
    const bool no_buffer = c.result == -ENOBUFS && o.kind().takes_buffer;
    // A non-blocking descriptor reports EAGAIN instead of waiting.
    const bool not_ready = c.result == -EAGAIN && o.kind().want != interest::none;
    if (!no_buffer && !not_ready && c.result != -EINTR) {
        return completed(o, c) ? op::step::settle : op::step::submit;
    }
    if (o.cancelled_ && !o.pausing_) {
        static_cast<void>(completed(o, {.result = -ECANCELED}));
        return op::step::settle;
    }
    sometimes(rare_path::uring_no_buffer, no_buffer);
    sometimes(rare_path::uring_again, not_ready);
    // Grows at once: a pool that ran out will do so again, and each time costs a submission.
    const bool grown = no_buffer && buffers().grow();
    // A stream without a waiter is submitted again by its next wait.
    if (o.kind().multishot && !o.awaited()) return op::step::settle;
    if (no_buffer) return grown ? op::step::submit : op::step::wait_for_buffer;
    return not_ready ? op::step::poll : op::step::submit;
}

void uring_engine::poll_completion(op& o, int result) noexcept {
    --o.pending_completions_;
    o.next_ = op::step::attempt;
    // When the settings of a terminal change, the kernel polls it again and conflicts with its own
    // first poll: EINVAL. A new poll works.
    if (result < 0 && result != -EINVAL) {
        static_cast<void>(completed(o, {.result = result}));
        o.next_ = op::step::settle;
        if (result != -ECANCELED) notify_reader(o);
    }
    finish_if_complete(o);
}

void uring_engine::finish_if_complete(op& o) noexcept {
    if (o.pending_completions_ > 0) return;
    if (o.pausing_) o.pausing_ = o.cancelled_ = false;
    if (o.cancelled_ && o.next_ != op::step::settle) {
        static_cast<void>(completed(o, {.result = -ECANCELED}));
        o.next_ = op::step::settle;
    } else if (!o.cancelled_ && o.kind().multishot) {
        if (!o.awaited()) {
            o.next_ = op::step::settle;
        } else if (o.next_ == op::step::settle) {
            o.next_ = op::step::submit;
        }
    }
    switch (o.next_) {
        case op::step::settle: settle(o); break;
        case op::step::submit: hand_over(o); break;
        case op::step::attempt: queue(o); break;
        case op::step::poll: poll_for(o); break;
        case op::step::wait_for_buffer: wait_for_buffer(o); break;
    }
}

// Closing a descriptor does not affect the kernel's references to it, and nothing is in flight.
void uring_engine::on_detach(int /*fd*/, fd_slot& /*slot*/) noexcept {}

}  // namespace sluice::io
