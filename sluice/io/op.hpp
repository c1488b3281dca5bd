// One I/O operation: what to do, on which descriptor, with which memory, and who waits for it.
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

/// What an operation waits for on its descriptor: what epoll or poll is asked.
enum class interest : std::uint8_t {
    in,    ///< bytes to read, a connection to accept
    out,   ///< room to write, a connection made
    none,  ///< nothing: it never reports EAGAIN
};

/// What a completion says beside its number (io_uring_enter(2), "cqe->flags").
struct completion {
    int result = 0;     ///< n or -errno
    int buffer = -1;    ///< the pool's buffer that was filled, or -1
    bool more = false;  ///< the operation stays in flight and will complete again
};

/// What an operation makes of a completion.
enum class verdict : std::uint8_t {
    done,   ///< it is over: resume who waits
    again,  ///< only a part is done: submit it once more
};

/// The two halves of a kind of operation, side by side, and what its result means. One constant a
/// kind; an engine knows kinds only through this.
struct op_kind {
    interest want = interest::none;
    /// Takes its bytes into a buffer of the engine's pool; -ENOBUFS then means "wait for one".
    bool takes_buffer = false;
    /// Sends memory of a registered_buffer, which prepare() tells by set_buffer(); the kernel may
    /// go on reading it when the operation is over.
    bool lends_memory = false;
    /// Mostly completes at once, and its attempt blocks on no descriptor: io_uring attempts it
    /// before it hands it over. The call costs less than an entry and a completion, and the
    /// coroutine goes on while its memory is warm.
    bool eager = false;
    /// What a completion on the spot takes of a turn (engine_options::inline_budget): more for what
    /// moves so much at once that others should not wait for many of them.
    std::uint8_t weight = 1;
    /// May complete many times a submission, on engines that can.
    bool multishot = false;
    /// One system call that does not block: n, or -errno; -EAGAIN means "not ready".
    int (*attempt)(op&) noexcept = nullptr;
    /// Fills an entry of io_uring's queue, all but its user data. Null where io_uring has no such
    /// operation: it then waits for `want` and attempts.
    void (*prepare)(op&, io_uring_sqe&) noexcept = nullptr;
    /// Looks at each completion, attempts' included. Null: the result is kept as it came.
    verdict (*complete)(op&, const completion&) noexcept = nullptr;
};

/// An operation is its own awaitable: it lives in the frame of the coroutine that awaits it,
/// allocates nothing, cannot be moved, and must not be in flight when it dies.
/// One thread, that of its engine. On one descriptor at most one operation waits for each of in
/// and out at a time.
class op : public coro::resumable, public coro::cancel_hook {
 public:
    op(const op&) = delete;
    op& operator=(const op&) = delete;

    [[nodiscard]] static bool await_ready() noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        return begin(h, h.promise().current_context());
    }

    /// Asks for an early end. What was done by then stands: a result beats a cancel.
    void cancel() noexcept;
    /// From now on it is cancelled before it begins. What is in flight is not touched.
    void shut() noexcept { shut_ = true; }
    [[nodiscard]] bool is_shut() const noexcept { return shut_; }

    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] engine& home() const noexcept { return *engine_; }
    [[nodiscard]] const op_kind& kind() const noexcept { return *kind_; }
    [[nodiscard]] bool in_flight() const noexcept { return state_ != state::idle; }

 protected:
    /// `fd` stays the caller's, and is attached to `home` for as long as the operation runs. One
    /// that is closed (-1) makes an operation that is cancelled before it begins.
    op(const op_kind& kind, engine& home, int fd) noexcept
        : cancel_hook{&on_cancel}, kind_{&kind}, engine_{&home}, fd_{fd}, shut_{fd < 0} {}
    ~op();

    /// Submits it for `h`. False if it completed at once, or was cancelled before it began.
    bool begin(std::coroutine_handle<> h, coro::context& here) noexcept;

    /// The same for a multishot operation, which may be in flight already.
    bool begin_wait(std::coroutine_handle<> h, coro::context& here) noexcept;
    /// True if somebody waits and has not been told of anything yet.
    [[nodiscard]] bool awaited() const noexcept { return has_waiter() && !resumable::linked(); }

    /// n, or -errno, of the last completion.
    [[nodiscard]] int raw_result() const noexcept { return result_; }
    void set_raw_result(int r) noexcept { result_ = r; }
    /// The result as a value; -ECANCELED becomes fault::cancelled.
    [[nodiscard]] result<std::size_t> count() noexcept {
        if (result_ < 0) return failure(error_of(result_));
        return static_cast<std::size_t>(result_);
    }
    [[nodiscard]] static error error_of(int negative_errno) noexcept;

    /// For an attempt: the descriptor has nothing left after this one (epoll(7), questions and
    /// answers, 9: a short read or write of a stream says so), so that asking again is no use.
    void set_drained(bool drained) noexcept { drained_ = drained; }
    /// For an attempt that takes a buffer: which one it filled. For prepare() of an operation that
    /// lends memory: which one that is.
    void set_buffer(int id) noexcept { buffer_ = id; }

 private:
    friend class engine;
    friend class blocking_engine;
    friend class epoll_engine;
    friend class session_engine;
    friend class uring_engine;

    enum class state : std::uint8_t {
        idle,     ///< nobody's: not begun, or over
        queued,   ///< in the engine's list, to be started or attempted again
        unsent,   ///< waits for an entry in io_uring's queue
        parked,   ///< waits for readiness
        kernel,   ///< io_uring owns it and its memory
        starved,  ///< waits for a buffer
    };

    /// What follows once the kernel owes nothing more.
    enum class step : std::uint8_t { settle, submit, attempt, poll, starve };

    static void on_cancel(cancel_hook& hook) noexcept;
    void watch(coro::context& here) noexcept;

    const op_kind* kind_;
    engine* engine_;
    int fd_;
    int result_ = 0;
    std::int32_t buffer_ = -1;
    std::uint8_t owed_ = 0;  // completions that io_uring still owes: its own, a cancel's
    state state_ = state::idle;
    bool cancelled_ = false;
    bool pausing_ = false;
    bool drained_ = false;
    bool cancel_unsent_ = false;
    bool shut_;
    step next_ = step::settle;
};

}  // namespace sluice::io
