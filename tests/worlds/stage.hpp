// Stage: what the director of a world sees. It starts processes, lets time pass, and judges.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/sim/fail.hpp"
#include "sluice/sim/process.hpp"
#include "sluice/sim/random.hpp"
#include "sluice/sim/simulated_kernel.hpp"
#include "tests/worlds/setting.hpp"

namespace sluice::worlds {

/// One run of a world. Its director is a process of the simulated kernel, and every function here
/// is called on the director's fiber.
class stage {
 public:
    /// Both outlive it.
    stage(sim::simulated_kernel& kernel, const setting& how);
    stage(const stage&) = delete;
    stage& operator=(const stage&) = delete;
    ~stage() = default;

    [[nodiscard]] sim::simulated_kernel& kernel() noexcept { return kernel_; }
    /// What it is made from.
    [[nodiscard]] const setting& how() const noexcept { return how_; }
    /// For the world's own choices; the kernel's do not move them.
    [[nodiscard]] sim::random& chance() noexcept { return chance_; }
    /// `low` to `high` clients, but at most as many as the setting allows.
    [[nodiscard]] std::size_t draw_clients(std::size_t low, std::size_t high);
    /// 10 ms to `most`, log-uniformly: how long a load lasts. A seed costs what its load makes, and
    /// many short worlds find more than few long ones.
    [[nodiscard]] std::chrono::milliseconds draw_time(std::chrono::milliseconds most);

    /// Starts a process whose main fiber runs `run`. It lives as long as the world.
    sim::process& start(std::string name, std::function<void()> run);
    /// Lets virtual time pass.
    void pass(std::chrono::nanoseconds time);
    /// The end of the load phase: from now on no fault happens any more, and a core of the world is
    /// healed for good: the server and some of `clients`, a random choice that has all of them in
    /// half of the seeds. What is broken elsewhere stays so: connections that stand still, and
    /// processes; some stand still from now on.
    void heal(std::span<sim::process* const> clients);
    /// False for a client that heal() has left out of the core: it is owed nothing any more.
    [[nodiscard]] bool is_in_core(const sim::process& client) const noexcept;
    /// The machines of all clients outside of the core end, and their connections are reset.
    void lose_the_broken();
    /// True if processes could stand still before heal().
    [[nodiscard]] bool could_stand_still() const { return how_.rates().kernel.process_stall > 0; }
    /// The rates of the disk's faults.
    [[nodiscard]] sim::disk_faults disk_faults() const { return how_.rates().disk; }
    /// Those of the faults of programs.
    [[nodiscard]] worlds::program_faults program_faults() const { return how_.rates().programs; }

    /// Fails unless `holds()` within `time`; looks at least every 100 ms of virtual time. `pending`
    /// is asked what is not there yet.
    void within(std::chrono::nanoseconds time, std::string_view what,
                const std::function<bool()>& holds,
                const std::function<std::string()>& pending = {});
    /// Fails unless `holds`. Any fiber.
    static void require(bool holds, std::string_view what) {
        if (!holds) fail(what);
    }
    /// Ends the run with a report (sim::fail). Any fiber.
    [[noreturn]] static void fail(std::string_view what) { sim::fail(what); }

 private:
    sim::simulated_kernel& kernel_;
    const setting& how_;
    sim::random chance_;
    std::vector<sim::process*> broken_;  // clients outside of the core
};

/// A world: a service with clients, and what must hold.
struct world {
    std::string_view name;
    std::string_view about;  ///< a line for --help
    void (*direct)(stage&);  ///< runs on the director's fiber
};

/// Runs one world in this process, and returns its trace's hash. A failure aborts with a report.
[[nodiscard]] std::uint64_t run(const world& w, const setting& how);

}  // namespace sluice::worlds
