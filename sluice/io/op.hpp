// I/O operation: its kind, descriptor, result, and the coroutine that waits for it.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>

#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/ready_queue.hpp"

struct io_uring_sqe;

namespace sluice::io {

class engine;
class op;

/// Readiness that an operation waits for (poll(2), epoll(7)).
enum class interest : std::uint8_t {
    in,    ///< bytes to read, a connection to accept
    out,   ///< space to write, a completed connect
    none,  ///< none: it never reports EAGAIN
};

/// Bytes that one call moves at most (read(2), sendfile(2)); it fits an int.
inline constexpr std::size_t max_per_call = 0x7fff'f000;

/// A completion of an operation (io_uring_enter(2), "cqe->flags").
struct completion {
    int result = 0;     ///< n or -errno
    int buffer = -1;    ///< the pool's buffer that was filled, or -1
    bool more = false;  ///< the operation stays in flight and will complete again
};

/// What the engine does after a completion.
enum class completion_action : std::uint8_t {
    done,   ///< it is over: resume the waiter
    again,  ///< only a part is done: submit it once more
};

/// A kind of operation: its attempt, its io_uring entry, and the meaning of its result. One
/// constant per kind; an engine knows kinds only through this.
struct op_kind {
    interest want = interest::none;
    /// Receives into a buffer of the engine's pool; -ENOBUFS then means "wait for one".
    bool takes_buffer = false;
    /// Sends from a registered_buffer, which prepare() names by set_buffer(); the kernel may go on
    /// reading it when the operation is over.
    bool sends_registered = false;
    /// Usually completes at once, and its attempt blocks on no descriptor: an engine attempts it
    /// before it submits it. On io_uring, the call costs less than an entry and a completion, and
    /// the coroutine goes on while its memory is warm.
    bool inline_first = false;
    /// Input may wait in this program although the descriptor has none (record_layer): it is
    /// attempted before its descriptor is waited for.
    bool may_hold_input = false;
    /// What an inline completion takes of engine_options::inline_budget: more for an operation that
    /// moves so much at once that other coroutines should not wait for many of them.
    std::uint8_t cost = 1;
    /// May complete many times per submission, on engines that support it.
    bool multishot = false;
    /// Its results are descriptors: one that comes after the operation has died is closed.
    bool gives_descriptor = false;
    /// One system call that does not block: n, or -errno; -EAGAIN means "not ready".
    int (*attempt)(op&) noexcept = nullptr;
    /// Fills an entry of io_uring's queue, all but its user data. Null if io_uring has no such
    /// operation: its engine then polls for `want` and attempts.
    void (*prepare)(op&, io_uring_sqe&) noexcept = nullptr;
    /// Processes each completion, attempts' included. Null: the result is kept as it came.
    completion_action (*complete)(op&, const completion&) noexcept = nullptr;
    /// Handles the waiter of an operation that dies before it: makes it ready, to be resumed with
    /// fault::cancelled. All of the operation but its op is destroyed already. Null if operations
    /// of this kind live in the frames of their waiters, and die with them.
    void (*resume_without)(op&, std::coroutine_handle<> waiter) noexcept = nullptr;
};

/// An operation is its own awaitable: it lives in the frame of the coroutine that awaits it,
/// allocates nothing, and cannot be moved. If it dies in flight, its destructor cancels it, and
/// returns when the kernel uses its memory no more (engine::abandon). One thread, that of its
/// engine. Per descriptor, at most one operation waits for in and one for out at a time.
class op : public coro::resumable, public coro::cancel_hook {
 public:
    op(const op&) = delete;
    op& operator=(const op&) = delete;

    [[nodiscard]] static bool await_ready() noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        return begin(h, h.promise().current_context());
    }

    /// Cancels it. Completed work stands, and the result is then the completed part.
    void cancel() noexcept;
    /// Cancels later submissions before they begin. Does not affect an operation in flight.
    void shut() noexcept { shut_ = true; }
    [[nodiscard]] bool is_shut() const noexcept { return shut_; }

    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] engine& owner() const noexcept { return *engine_; }
    [[nodiscard]] const op_kind& kind() const noexcept { return *kind_; }
    [[nodiscard]] bool in_flight() const noexcept { return state_ != state::idle; }

 protected:
    /// The caller owns `fd` and keeps it attached to `owner` while the operation runs. -1 makes an
    /// operation that is cancelled before it begins.
    op(const op_kind& kind, engine& owner, int fd) noexcept
        : cancel_hook{&on_cancel}, kind_{&kind}, engine_{&owner}, fd_{fd}, shut_{fd < 0} {}
    ~op();

    /// Submits it for `h`. False if it completed at once, or was cancelled before it began.
    bool begin(std::coroutine_handle<> h, coro::context& current) noexcept;

    /// The same for a multishot operation, which may be in flight already.
    bool begin_wait(std::coroutine_handle<> h, coro::context& current) noexcept;
    /// True if a coroutine waits and is not on a ready queue yet.
    [[nodiscard]] bool awaited() const noexcept { return has_waiter() && !resumable::linked(); }

    /// Before it is begun: another kind, of the same interest.
    void set_kind(const op_kind& kind) noexcept { kind_ = &kind; }

    /// n, or -errno, of the last completion.
    [[nodiscard]] int raw_result() const noexcept { return result_; }
    void set_raw_result(int r) noexcept { result_ = r; }
    /// The result as a value: -ECANCELED becomes fault::cancelled, and a record_layer's own codes
    /// their faults.
    [[nodiscard]] result<std::size_t> count() noexcept {
        if (result_ < 0) return failure(error_of(result_));
        return static_cast<std::size_t>(result_);
    }
    [[nodiscard]] static error error_of(int negative_errno) noexcept;

    /// For an attempt: the descriptor is exhausted, so that another attempt is no use (epoll(7),
    /// questions and answers, 9: a short read or write of a stream says so).
    void set_drained(bool drained) noexcept { drained_ = drained; }
    /// For an attempt that takes a buffer: the one that it filled. For prepare() of a kind that
    /// sends registered memory: its buffer.
    void set_buffer(int id) noexcept { buffer_ = id; }

 private:
    friend class engine;
    friend class blocking_engine;
    friend class epoll_engine;
    friend class session_engine;
    friend class uring_engine;

    enum class state : std::uint8_t {
        idle,       ///< not begun, or over
        queued,     ///< in the engine's list, to be started or attempted again
        unsent,     ///< waits for an entry of io_uring's queue
        parked,     ///< waits for readiness
        kernel,     ///< io_uring owns it and its memory
        no_buffer,  ///< waits for a buffer
    };

    /// The next step after the last pending completion.
    enum class step : std::uint8_t { settle, submit, attempt, poll, wait_for_buffer };

    static void on_cancel(cancel_hook& hook) noexcept;
    void watch(coro::context& current) noexcept;

    const op_kind* kind_;
    engine* engine_;
    int fd_;
    int result_ = 0;
    std::int32_t buffer_ = -1;
    std::uint8_t pending_completions_ = 0;  // of io_uring: its own, a cancel's
    state state_ = state::idle;
    bool cancelled_ = false;
    bool pausing_ = false;
    bool drained_ = false;
    bool cancel_unsent_ = false;
    bool shut_;
    step next_ = step::settle;
};

}  // namespace sluice::io
