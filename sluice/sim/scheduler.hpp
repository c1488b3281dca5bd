// Scheduler of the simulator: fibers on one OS thread, and virtual time.
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sluice/os/mapping.hpp"
#include "sluice/sim/execution.hpp"
#include "sluice/sim/random.hpp"
#include "sluice/sim/wait_queue.hpp"

namespace sluice::sim {

class process;
class scheduler;

/// Virtual nanoseconds since the start of the machine.
using virtual_time = std::int64_t;
inline constexpr virtual_time a_microsecond = 1'000;
inline constexpr virtual_time a_millisecond = 1'000'000;
inline constexpr virtual_time a_second = 1'000'000'000;
/// A deadline that does not come.
inline constexpr virtual_time never = INT64_MAX;

/// A simulated thread.
struct fiber : execution {
    enum class state : std::uint8_t { ready, waiting, over };

    int id = 0;                     ///< from 1, in the order of their starts
    scheduler* home = nullptr;      ///< that runs it
    process* owner = nullptr;       ///< it runs in
    std::function<void()> body;     ///< what it runs
    mapping stack;                  ///< its own
    state now = state::ready;       ///< what it does
    bool woken = false;             ///< by wake(), since it began to wait
    bool killed = false;            ///< over, and its stack is as it was
    std::uint64_t wait_number = 0;  ///< so that a deadline of an earlier wait is not taken for this
    const char* waits_in = "";      ///< the call, for reports
    std::int64_t waits_for = 0;     ///< its first argument
    virtual_time waits_until = never;  ///< its deadline
    std::vector<fiber*> joiners;       ///< wait for its end
    sigset_t blocked_signals{};        ///< pthread_sigmask(3)
};

/// Runs one fiber at a time, chosen by the seed. Time passes when all of them wait: then it is the
/// time of the next event. Events of the same time happen in an order drawn from the seed.
class scheduler {
 public:
    /// How long a world may take. A world that takes longer is a failure: something spins.
    struct limits {
        virtual_time time = 3600 * a_second;
        std::uint64_t switches = 20'000'000;
    };

    explicit scheduler(random& chooses) noexcept : random_{chooses} {}
    scheduler(const scheduler&) = delete;
    scheduler& operator=(const scheduler&) = delete;
    ~scheduler() = default;

    /// Starts a fiber, which runs `body` in `owner`. nullptr if there is no memory for its stack.
    fiber* start(process* owner, std::function<void()> body);
    /// Runs until all fibers are over, or stop(). Fails (sim::fail) with a deadlock: all fibers
    /// wait and no event is due; or with a livelock: beyond the limits.
    void run();
    /// Makes run() return after this fiber's turn; for a world that is over while fibers wait.
    void stop() noexcept { stopped_ = true; }

    /// Forgets all fibers and events, outside of fibers.
    void clear() noexcept;

    [[nodiscard]] virtual_time now() const noexcept { return now_; }
    /// The fiber that runs; nullptr outside of fibers.
    [[nodiscard]] fiber* current() const noexcept { return current_; }
    /// Lets `time` pass for the fiber that runs, as work does. Others do not run meanwhile.
    void pass(virtual_time time) noexcept { now_ += time; }

    /// @name Of the fiber that runs
    /// @{
    /// Gives the core to a fiber that may run, perhaps the same one.
    void yield() noexcept;
    /// Waits for wake() or `until`. False at the deadline. `call` is a literal and says where, with
    /// its argument, in reports.
    bool wait(virtual_time until, const char* call, std::int64_t argument) noexcept;
    /// Waits for the end of `f`.
    void wait_for_end(fiber& f) noexcept;
    /// Waits until another fiber has run or an event has happened: for a condition that nothing
    /// tells of.
    void wait_for_others(const char* call) noexcept;
    /// @}

    /// Ends the wait of `f`; no effect if it does not wait.
    void wake(fiber& f) noexcept;
    /// Ends `f` where it is, without unwinding. If it runs, this does not return.
    void kill(fiber& f) noexcept;
    /// Keeps the fibers of `owner` from running until `until`; `never`: for good.
    void hold(process& owner, virtual_time until);
    /// Ends what hold() has begun, but for the processes of which `stays` is true: for good.
    void release_held(const std::function<bool(const process&)>& stays);

    /// `happens` runs at `when`, outside of fibers; it may not wait.
    void at(virtual_time when, std::function<void()> happens);
    /// The same, `in` from now.
    void after(virtual_time in, std::function<void()> happens) {
        at(now_ + in, std::move(happens));
    }

    /// What each fiber waits for, a line each.
    [[nodiscard]] std::string who_waits() const;
    [[nodiscard]] limits& bounds() noexcept { return limits_; }
    [[nodiscard]] std::uint64_t switches() const noexcept { return switches_; }

 private:
    // Small, as a heap moves it about.
    struct event {
        virtual_time when = 0;
        std::uint64_t order = 0;  // among those of the same time
        // Whose wait has its deadline then; null: one of happenings_.
        fiber* sleeper = nullptr;
        std::uint64_t which = 0;  // wait of the sleeper, stale if that is over; or happening
    };
    struct holding {
        process* who;
        std::vector<fiber*> fibers;  // that might run
        bool for_good = false;
    };
    struct main_execution : execution {};

    void make_ready(fiber& f);
    void suspend() noexcept;
    void run_one();
    void stop_polling();
    void add(event e);
    event take_event();
    void drop_stale_events();
    bool let_events_happen();
    void finish(fiber& f) noexcept;
    static void enter(void* f) noexcept;
    static bool later(const event& a, const event& b) noexcept {
        return a.when != b.when ? a.when > b.when : a.order > b.order;
    }

    random& random_;
    limits limits_;
    main_execution main_;
    std::vector<std::unique_ptr<fiber>> fibers_;
    std::vector<fiber*> ready_;
    std::vector<fiber*> polling_;  // in wait_for_others()
    std::vector<event> events_;    // a heap, the next one first
    std::vector<std::function<void()>> happenings_;
    std::vector<std::size_t> free_happenings_;  // places in it
    std::vector<holding> held_;
    fiber* current_ = nullptr;
    virtual_time now_ = a_second;
    std::uint64_t switches_ = 0;
    std::size_t alive_ = 0;
    bool stopped_ = false;
};

}  // namespace sluice::sim
