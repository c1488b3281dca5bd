// The contract of an engine: how one thread waits for its operations, and goes on with its
// coroutines.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "sluice/base/intrusive_list.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/io/buffer_pool.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/io/op.hpp"
#include "sluice/io/registered_buffers.hpp"
#include "sluice/io/slot_table.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::io {

/// How a thread waits.
enum class engine_kind : std::uint8_t {
    blocking,  ///< every operation finishes before it returns (poll(2))
    epoll,     ///< attempts, and waits for readiness (epoll(7))
    uring,     ///< hands operations to the kernel, and waits for completions (io_uring(7))
};
[[nodiscard]] std::string_view to_text(engine_kind k) noexcept;

/// What an engine can be made with.
struct engine_options {
    buffer_pool::options buffers;
    registered_pool::options registered{};    ///< io_uring's, made as they are needed
    std::uint32_t ring_entries = 256;         ///< io_uring's submission queue
    std::uint32_t completion_entries = 4096;  ///< io_uring's completion queue
    std::uint32_t turn_budget = 1024;  ///< coroutines resumed between two looks at the kernel
    std::uint32_t inline_budget = 64;  ///< completions on the spot before others get a turn
};

/// What an engine has counted since it was made. The owner's thread.
struct engine_counters {
    std::uint64_t turns = 0;         ///< calls of run_once
    std::uint64_t operations = 0;    ///< submitted
    std::uint64_t at_once = 0;       ///< completed without waiting
    std::uint64_t cancels = 0;       ///< asked for while in flight
    std::uint64_t buffer_waits = 0;  ///< operations that found no free buffer
    std::uint64_t overflows = 0;     ///< operations that found io_uring's queue full
    std::uint64_t unregistered = 0;  ///< buffers lent when every registered one was in use
};

/// Somebody who waits until nothing is in flight on a descriptor.
struct quiet_waiter : coro::resumable {
    int fd = -1;
};

struct turn_end_tag;

/// Something to be done once a turn, when every coroutine that could go on has: what they left can
/// then be dealt with in one go. Lives in its owner; leaves the engine's list when it dies.
class turn_end : public list_hook<turn_end_tag> {
 public:
    /// `run` is called on the engine's thread, with the hook out of its list.
    explicit turn_end(void (*run)(turn_end&) noexcept) noexcept : run_{run} {}
    turn_end(const turn_end&) = delete;
    turn_end& operator=(const turn_end&) = delete;
    ~turn_end() { unlink(); }

 private:
    friend class engine;
    void (*run_)(turn_end&) noexcept;
};

class session_engine;

/// One thread's way of waiting. The virtual functions are all that differs between engines;
/// everything else (timers, buffers, mail, the queue of coroutines that may go on) is the same for
/// each. An engine belongs to the thread that made it: nothing but wake()
/// and post() may be called from another.
class engine {
 public:
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;
    virtual ~engine();

    [[nodiscard]] virtual engine_kind which() const noexcept = 0;
    /// Memory that can be sent without a copy; null where there is none: only io_uring has it.
    [[nodiscard]] virtual registered_pool* registered() noexcept { return nullptr; }
    /// Any thread: makes a run_once that waits, or the next one, return early.
    virtual void wake() noexcept = 0;

    /// Attempts an eager operation that is not in flight, without taking it into flight. True if it
    /// has completed; otherwise it is to be submitted.
    [[nodiscard]] bool try_at_once(op& o) noexcept;
    /// Starts an operation. True if it has completed already, without waiting; otherwise the
    /// waiter is resumed by a later run_once. The descriptor must be attached.
    [[nodiscard]] bool submit(op& o) noexcept;
    /// Asks for an early end; the waiter is resumed as for any completion. A result that came
    /// first stands. Nothing happens to an operation that is not in flight.
    void cancel(op& o) noexcept;
    /// Cancels a multishot operation that is to be taken up again later.
    void pause(op& o) noexcept;
    /// Resumes who waits for a multishot operation, without disturbing it in the kernel. Nothing if
    /// nobody waits, or if there is news for who does.
    void give_up_wait(op& o) noexcept;

    /// Makes operations on `fd` possible. Engines that attempt set O_NONBLOCK on it unless
    /// `keep_flags`: a descriptor that other processes share (stdin) keeps its flags, and its
    /// operations look before they leap. EMFILE if the number is beyond this engine's table.
    [[nodiscard]] result<void> attach(int fd, bool keep_flags = false) noexcept;
    /// Before close(2). No operation may be in flight on `fd`.
    void detach(int fd) noexcept;
    /// Cancels whatever is in flight on `fd`.
    void cancel_all(int fd) noexcept;
    /// True if no operation is in flight on `fd`.
    [[nodiscard]] bool quiet(int fd) const noexcept;
    /// `w` becomes ready once nothing is in flight on its descriptor.
    void when_quiet(quiet_waiter& w) noexcept;

    /// One turn: waits until something happens or `until`, then fires timers, delivers mail and
    /// resumes what may go on. Returns without waiting while something may go on already.
    void run_once(time_point until) noexcept;

    /// The blocking engine's way to wait for what another thread or a timer does: fires timers and
    /// delivers mail until `done`.
    void block_until(const bool& done) noexcept;

    /// Any thread: delivers `l` on this engine's thread, soon.
    void post(letter& l) noexcept {
        // What the letter brings may end this engine before the bell has been rung.
        senders_.fetch_add(1, std::memory_order_relaxed);
        if (inbox_.post(l)) wake();
        senders_.fetch_sub(1, std::memory_order_release);
    }

    /// Runs `t` once, at the end of this turn, or of the next one if none goes on. Asked for again
    /// before that, it is the same request. Not on the blocking engine, which has no turns.
    void at_turn_end(turn_end& t) noexcept {
        if (!t.linked()) turn_ends_.push_back(t);
    }

    /// The time at the last look at the kernel; costs nothing, and is a turn old at most.
    [[nodiscard]] time_point now() const noexcept { return now_; }
    /// Randomness for services, so that a simulated engine can give them a seeded one.
    [[nodiscard]] std::uint64_t random() {
        if (random_ == nullptr) {
            random_ = std::make_unique<std::mt19937_64>(std::random_device{}());
        }
        return (*random_)();
    }

    [[nodiscard]] timer_heap& timers() noexcept { return timers_; }
    [[nodiscard]] buffer_pool& buffers() noexcept { return *buffers_; }
    [[nodiscard]] coro::ready_queue& ready() noexcept { return ready_; }
    [[nodiscard]] const engine_counters& counters() const noexcept { return counters_; }
    /// Operations in flight.
    [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
    /// True if no operation ever suspends its coroutine.
    [[nodiscard]] bool blocks() const noexcept { return which() == engine_kind::blocking; }
    /// True if work that burns CPU or waits for a disk is done on the calling thread, since nobody
    /// else's session waits for it there: on the blocking engine, and for sessions of the pool
    /// model.
    [[nodiscard]] virtual bool works_in_place() const noexcept { return blocks(); }
    /// SOCK_NONBLOCK or 0: how this engine wants new sockets (socket(2), accept4(2)).
    [[nodiscard]] int socket_flags() const noexcept;

 protected:
    explicit engine(const engine_options& o);
    /// With a table of slots that outlives it, and no buffers before lend_buffers().
    engine(const engine_options& o, slot_table& shared);

    /// Begins `o`. True if it settled at once.
    virtual bool start(op& o) noexcept = 0;
    /// Goes on with an operation that stood in the queue. True if it settled at once.
    virtual bool start_queued(op& o) noexcept = 0;
    /// Ends a parked or kernel-owned `o` early.
    virtual void withdraw(op& o) noexcept = 0;
    /// Waits for events until `until` (past: just looks) and takes them in, resuming nobody.
    virtual void wait(time_point until) noexcept = 0;
    virtual void on_detach(int fd, fd_slot& slot) noexcept = 0;

    enum class outcome : std::uint8_t {
        over,       ///< its result is known
        not_ready,  ///< EAGAIN: it waits for its descriptor
        starved,    ///< there was no buffer for it
    };
    /// Attempts `o`, more than once where one completion is only a part of it.
    [[nodiscard]] outcome attempt(op& o) noexcept;
    /// Takes in one completion of `o`. False if `o` must be submitted once more.
    [[nodiscard]] bool completed(op& o, const completion& c) noexcept;
    /// `o` is over: takes it out of flight and puts its waiter on the ready queue.
    void settle(op& o) noexcept;
    /// `o` waits for a buffer to come home.
    void starve(op& o) noexcept;
    /// `o` is attempted or started again in this or the next turn.
    void queue(op& o) noexcept;
    [[nodiscard]] fd_slot& slot(int fd) noexcept { return slots()[fd]; }
    /// One more than the highest descriptor that was ever attached.
    [[nodiscard]] int descriptors_seen() const noexcept { return descriptors_seen_; }
    [[nodiscard]] bool known(int fd) const noexcept {
        return fd >= 0 && static_cast<std::size_t>(fd) < slot_count_;
    }
    /// The pool that buffers() gives from now on; nullptr takes it away. Returns the one before.
    std::unique_ptr<buffer_pool> lend_buffers(std::unique_ptr<buffer_pool> pool) noexcept;
    [[nodiscard]] bool has_buffers() const noexcept { return buffers_ != nullptr; }
    /// Whether a turn would find something to do without waiting.
    [[nodiscard]] bool is_busy() const noexcept {
        return !ready_.empty() || !queued_.empty() || !inbox_.empty() || !turn_ends_.empty();
    }
    /// Runs timers and mail; what the blocking engine does inside its waits too.
    void run_due() noexcept;
    void look_at_clock() noexcept { now_ = clock::now(); }
    /// For the destructor of whoever can be woken: returns when nobody is inside post().
    void see_senders_off() const noexcept;

    mailbox inbox_;
    timer_heap timers_;
    engine_counters counters_;
    engine_options options_;

 private:
    [[nodiscard]] fd_slot* slots() const noexcept { return slots_; }
    void look_after_buffers() noexcept;
    /// Rings a while after more buffers than at first were in use.
    struct buffer_watch : timer {
        buffer_watch() noexcept
            : timer{[](timer& t) noexcept { static_cast<buffer_watch&>(t).is_due = true; }} {}
        bool is_armed = false;
        bool is_due = false;
    };
    void release_slot(op& o) noexcept;
    void tell_quiet(int fd) noexcept;
    void run_queued() noexcept;
    void run_turn_ends() noexcept;

    coro::ready_queue ready_;
    coro::resumable_list queued_;
    coro::resumable_list quiet_waiters_;
    intrusive_list<turn_end, turn_end_tag> turn_ends_;
    std::unique_ptr<buffer_pool> own_buffers_;
    buffer_pool* buffers_ = nullptr;
    buffer_watch buffer_watch_;
    std::optional<slot_table> own_slots_;
    fd_slot* slots_ = nullptr;
    std::size_t slot_count_ = 0;
    std::size_t in_flight_ = 0;
    std::atomic<std::uint32_t> senders_ = 0;
    int descriptors_seen_ = 0;
    std::uint32_t inline_left_ = 0;
    time_point now_ = clock::now();
    std::unique_ptr<std::mt19937_64> random_;
};

/// What was chosen, and why not something else.
struct engine_choice {
    engine_kind kind = engine_kind::epoll;
    /// Empty, or why io_uring is not used: a sentence for people.
    std::string reason;
};

/// io_uring where it works here, else epoll with the reason. Asks the kernel once a process.
[[nodiscard]] const engine_choice& automatic_engine();

/// Makes an engine for the calling thread. Fails with the kernel's errno, EPERM for io_uring in
/// many containers for one.
[[nodiscard]] result<std::unique_ptr<engine>> make_engine(engine_kind kind,
                                                          const engine_options& o = {});

}  // namespace sluice::io
