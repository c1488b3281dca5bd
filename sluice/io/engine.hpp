// Engine interface: how a thread submits operations, waits for completions, and resumes coroutines.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string_view>

#include "sluice/base/intrusive_list.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/io/buffer_pool.hpp"
#include "sluice/io/loop_counters.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/io/op.hpp"
#include "sluice/io/registered_buffers.hpp"
#include "sluice/io/slot_table.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::io {

/// How an engine waits.
enum class engine_kind : std::uint8_t {
    blocking,  ///< every operation finishes before it returns (poll(2))
    epoll,     ///< attempts, and waits for readiness (epoll(7))
    uring,     ///< hands operations to the kernel, and waits for completions (io_uring(7))
};
/// The name of `k` on the command line.
[[nodiscard]] std::string_view to_text(engine_kind k) noexcept;

/// Options of an engine.
struct engine_options {
    buffer_pool::options buffers{};           ///< for receiving
    registered_pool::options registered{};    ///< io_uring's, mapped on demand
    std::uint32_t ring_entries = 256;         ///< io_uring's submission queue
    std::uint32_t completion_entries = 4096;  ///< io_uring's completion queue
    std::uint32_t turn_budget = 1024;         ///< coroutines resumed per turn
    std::uint32_t inline_budget = 64;         ///< cost of inline completions per resumed coroutine
    /// The opcodes that io_uring's ring is restricted to (IORING_REGISTER_RESTRICTIONS), in memory
    /// that outlives the engine; any other is answered EACCES. Empty: all.
    std::span<const std::uint8_t> ring_operations{};
    /// On an engine that runs within another one, whose process may have no other thread (fork):
    /// works_in_place() is true.
    bool in_place = false;
    loop_counters* published = nullptr;  ///< written at the end of each turn; outlives the engine
};

/// Counters of an engine since it was made. The owner's thread.
struct engine_counters {
    std::uint64_t turns = 0;                 ///< calls of run_once
    std::uint64_t operations = 0;            ///< submitted
    std::uint64_t at_once = 0;               ///< completed without waiting
    std::uint64_t cancels = 0;               ///< requested while in flight
    std::uint64_t buffer_waits = 0;          ///< operations that found no free buffer
    std::uint64_t overflows = 0;             ///< operations that found the submission queue full
    std::uint64_t unregistered = 0;          ///< registered_pool's buffers taken unregistered
    std::uint64_t completion_overflows = 0;  ///< turns that found the completion queue overflown
};

/// A waiter until no operation is in flight on `fd`.
struct idle_waiter : coro::resumable {
    idle_waiter() noexcept = default;
    idle_waiter(const idle_waiter&) = delete;
    idle_waiter& operator=(const idle_waiter&) = delete;
    ~idle_waiter() { unlink(); }

    int fd = -1;  ///< the descriptor; not owned
};

struct turn_end_tag;

/// A hook that runs once at the end of a turn, after all ready coroutines, to process their output
/// in one go. Lives in its owner; its destructor unlinks it.
class turn_end : public list_hook<turn_end_tag> {
 public:
    /// `run` is called on the engine's thread, after the hook has left the list.
    explicit turn_end(void (*run)(turn_end&) noexcept) noexcept : run_{run} {}
    turn_end(const turn_end&) = delete;
    turn_end& operator=(const turn_end&) = delete;
    ~turn_end() { unlink(); }

 private:
    friend class engine;
    void (*run_)(turn_end&) noexcept;
};

class session_engine;

/// Event loop of one thread. Engines differ in the virtual functions alone; timers, buffers,
/// mailbox and ready queue are common to all. An engine belongs to the thread that made it: other
/// threads may call nothing but wake() and post().
class engine {
 public:
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;
    virtual ~engine();

    /// How it waits.
    [[nodiscard]] virtual engine_kind which() const noexcept = 0;
    /// Buffers for sending without a copy; null except on io_uring.
    [[nodiscard]] virtual registered_pool* registered() noexcept { return nullptr; }
    /// Any thread: makes a run_once that waits, or the next one, return early.
    virtual void wake() noexcept = 0;

    /// Attempts an inline-first operation before it is submitted. True if it has completed;
    /// otherwise the caller submits it.
    [[nodiscard]] bool try_at_once(op& o) noexcept;
    /// Starts an operation. True if it has completed already, without waiting; otherwise a later
    /// run_once resumes the waiter. The descriptor must be attached.
    [[nodiscard]] bool submit(op& o) noexcept;
    /// Cancels an operation; the waiter is resumed as for any completion. A result that came first
    /// stands. No effect on an operation that is not in flight.
    void cancel(op& o) noexcept;
    /// Cancels a multishot operation that a later wait submits again.
    void pause(op& o) noexcept;
    /// Resumes the waiter of a multishot operation, which stays in flight in the kernel. No effect
    /// without a waiter, or if the waiter is ready already.
    void give_up_wait(op& o) noexcept;
    /// For an operation that dies in flight, or before its waiter has resumed: cancels it, and
    /// returns when nothing refers to it any more. On io_uring this waits in the kernel until the
    /// operation is over; completions of others are processed meanwhile, and no coroutine is
    /// resumed. On the blocking engine, where only a timer or a message can destroy what its own
    /// thread waits for, an operation in flight breaks a contract.
    void abandon(op& o) noexcept;

    /// Registers `fd` for operations. Engines that attempt set O_NONBLOCK on it unless
    /// `keep_flags`: a descriptor that other processes share (stdin) keeps its flags, and its
    /// operations call poll(2) first. EMFILE if the number is beyond this engine's table.
    [[nodiscard]] result<void> attach(int fd, bool keep_flags = false) noexcept;
    /// Unregisters `fd`, before close(2). Operations in flight on it are cancelled, and over when
    /// this returns, as in abandon(); their waiters are ready. No idle_waiter may wait for it.
    void detach(int fd) noexcept;
    /// Cancels the operations in flight on `fd`.
    void cancel_all(int fd) noexcept;
    /// True if no operation is in flight on `fd`.
    [[nodiscard]] bool idle(int fd) const noexcept;
    /// `w` becomes ready once no operation is in flight on its descriptor.
    void when_idle(idle_waiter& w) noexcept;

    /// One turn: waits for an event or `until`, then fires timers, delivers messages and resumes
    /// ready coroutines. Does not wait while a coroutine is ready.
    void run_once(time_point until) noexcept;

    /// Waits on the blocking engine for another thread or a timer: fires timers and delivers
    /// messages until `done`.
    void block_until(const bool& done) noexcept;

    /// Any thread: delivers `m` on this engine's thread, soon.
    void post(message& m) noexcept {
        // The message may end this engine before wake() has returned.
        senders_.fetch_add(1, std::memory_order_relaxed);
        if (inbox_.post(m)) wake();
        senders_.fetch_sub(1, std::memory_order_release);
    }

    /// Runs `t` once, at the end of this turn, or of the next one if none is running. Idempotent
    /// until then. Not on the blocking engine, which has no turns.
    void at_turn_end(turn_end& t) noexcept {
        if (!t.linked()) turn_ends_.push_back(t);
    }

    /// The time of the last wait, at most a turn old; costs no system call.
    [[nodiscard]] time_point now() const noexcept { return now_; }
    /// Random numbers for services, from a generator per engine.
    [[nodiscard]] std::uint64_t random() {
        if (random_ == nullptr) {
            random_ = std::make_unique<std::mt19937_64>(os::sys().random());
        }
        return (*random_)();
    }

    /// The timers that run_once() fires.
    [[nodiscard]] timer_heap& timers() noexcept { return timers_; }
    /// The buffers that connections receive into.
    [[nodiscard]] buffer_pool& buffers() noexcept { return *buffers_; }
    /// The buffers of operations of a kind: those that attempts fill, where the kernel has the
    /// others.
    [[nodiscard]] buffer_pool& buffers_of(const op_kind& kind) noexcept {
        return kind.prepare == nullptr && attempt_buffers_ ? *attempt_buffers_ : *buffers_;
    }
    /// The coroutines that run_once() resumes; what a root context is made with.
    [[nodiscard]] coro::ready_queue& ready() noexcept { return ready_; }
    /// What it has counted since it was made.
    [[nodiscard]] const engine_counters& counters() const noexcept { return counters_; }
    /// Operations in flight.
    [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
    /// True if no operation ever suspends its coroutine.
    [[nodiscard]] bool blocks() const noexcept { return which() == engine_kind::blocking; }
    /// True if work that burns CPU or waits for a disk is done on the calling thread, since no
    /// other session waits for it there: on the blocking engine, and for sessions of the pool
    /// model.
    [[nodiscard]] virtual bool works_in_place() const noexcept {
        return blocks() || options_.in_place;
    }
    /// True if a turn has work without waiting.
    [[nodiscard]] bool is_busy() const noexcept {
        return !ready_.empty() || !queued_.empty() || !inbox_.empty() || !turn_ends_.empty();
    }
    /// SOCK_NONBLOCK or 0: the flag for new sockets of this engine (socket(2), accept4(2)).
    [[nodiscard]] int socket_flags() const noexcept;

 protected:
    explicit engine(const engine_options& o);
    /// With a slot table that outlives it, and no buffers before set_buffers().
    engine(const engine_options& o, slot_table& shared);

    /// Begins `o`. True if it settled at once.
    virtual bool start(op& o) noexcept = 0;
    /// Continues an operation of the queue. True if it settled at once.
    virtual bool start_queued(op& o) noexcept = 0;
    /// Ends a parked or kernel-owned `o` early.
    virtual void withdraw(op& o) noexcept = 0;
    /// Waits for events until `until` (past: only polls) and processes them, resuming no coroutine.
    virtual void wait(time_point until) noexcept = 0;
    virtual void on_detach(int fd, fd_slot& slot) noexcept = 0;
    /// False if the kernel may have filled a buffer of the pool that no completion has told of yet.
    [[nodiscard]] virtual bool has_all_completions() const noexcept { return true; }

    enum class outcome : std::uint8_t {
        over,       ///< its result is known
        not_ready,  ///< EAGAIN: it waits for its descriptor
        no_buffer,  ///< no buffer was free
    };
    /// Attempts `o`, again as long as a completion is only a part of it.
    [[nodiscard]] outcome attempt(op& o) noexcept;
    /// Processes a completion of `o`. False if `o` must be submitted once more.
    [[nodiscard]] bool completed(op& o, const completion& c) noexcept;
    /// Ends `o`: takes it out of flight and puts its waiter on the ready queue.
    void settle(op& o) noexcept;
    /// Makes `o` wait until a buffer is returned.
    void wait_for_buffer(op& o) noexcept;
    /// Schedules `o` to be attempted or started again in this or the next turn.
    void queue(op& o) noexcept;
    [[nodiscard]] fd_slot& slot(int fd) noexcept { return slots()[fd]; }
    /// One more than the highest descriptor that was ever attached.
    [[nodiscard]] int descriptors_seen() const noexcept { return descriptors_seen_; }
    [[nodiscard]] bool known(int fd) const noexcept {
        return fd >= 0 && static_cast<std::size_t>(fd) < slot_count_;
    }
    /// Makes buffers() return `pool`; nullptr takes the pool away. Returns the previous one.
    std::unique_ptr<buffer_pool> set_buffers(std::unique_ptr<buffer_pool> pool) noexcept;
    [[nodiscard]] bool has_buffers() const noexcept { return buffers_ != nullptr; }
    /// For an engine that gives buffers() to the kernel: makes others for attempts.
    void add_attempt_buffers() {
        attempt_buffers_ = std::make_unique<buffer_pool>(options_.buffers, queued_);
    }
    /// Fires timers and delivers messages; the blocking engine does so inside its waits, too.
    void run_due() noexcept;
    void update_clock() noexcept { now_ = clock::now(); }
    /// For destructors of engines that other threads wake: returns when no thread is inside post().
    void wait_for_senders() const noexcept;

    mailbox inbox_;
    timer_heap timers_;
    engine_counters counters_;
    engine_options options_;

 private:
    [[nodiscard]] fd_slot* slots() const noexcept { return slots_; }
    void trim_buffers() noexcept;
    /// Fires some time after more buffers than at first were in use.
    struct trim_timer : timer {
        trim_timer() noexcept
            : timer{[](timer& t) noexcept { static_cast<trim_timer&>(t).is_due = true; }} {}
        bool is_armed = false;
        bool is_due = false;
    };
    void end_now(op& o) noexcept;
    void end_all(const fd_slot& s) noexcept;
    [[noreturn]] void refuse_to_die() const noexcept;
    void release_slot(op& o) noexcept;
    void notify_idle(int fd) noexcept;
    void run_queued() noexcept;
    void run_turn_ends() noexcept;
    /// A turn in which so many coroutines were resumed is over.
    void publish(std::uint32_t resumed) noexcept;

    coro::ready_queue ready_;
    coro::resumable_list queued_;
    coro::resumable_list idle_waiters_;
    intrusive_list<turn_end, turn_end_tag> turn_ends_;
    std::unique_ptr<buffer_pool> own_buffers_;
    buffer_pool* buffers_ = nullptr;
    std::unique_ptr<buffer_pool> attempt_buffers_;
    trim_timer trim_timer_;
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

}  // namespace sluice::io
