// World: simulated processes on a simulated kernel, from one seed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "sluice/sim/simulated_kernel.hpp"

namespace sluice::sim {

/// What a world is made from.
struct world_options {
    std::uint64_t seed = 1;
    std::optional<fault_rates> faults{};  ///< none: drawn from the seed
    bool keep_trace = false;              ///< keep every line of the trace, not only the last ones
};

/// One world at a time exists in a thread that runs it. Code in its processes is unchanged: its
/// threads, mutexes, clocks and descriptors are those of os::sys(). Global and thread-local
/// variables are shared by all processes of all worlds.
class world {
 public:
    explicit world(const world_options& o);
    world(const world&) = delete;
    world& operator=(const world&) = delete;
    ~world();

    /// A process that begins with `run` when the world runs. The world owns it. Before run(), or
    /// from a fiber.
    process& start_process(std::string name, std::function<void()> run) {
        return kernel_.start_process(std::move(name), std::move(run));
    }
    /// Puts the simulated kernel in the place of Linux, and runs all processes to their ends. A
    /// deadlock, a livelock and a broken contract abort with a report (sim::fail).
    void run();
    /// From now on no fault happens, and what stands still goes on; what is broken or gone stays
    /// so.
    void heal() { kernel_.heal(); }
    /// `happens` runs at `in` from now, outside of fibers.
    void after(virtual_time in, std::function<void()> happens) {
        kernel_.scheduler().after(in, std::move(happens));
    }

    [[nodiscard]] simulated_kernel& kernel() noexcept { return kernel_; }
    [[nodiscard]] virtual_time now() noexcept { return kernel_.scheduler().now(); }
    /// Of all that has happened so far: equal for equal seeds.
    [[nodiscard]] std::uint64_t trace_hash() noexcept { return kernel_.trace().hash(); }

 private:
    static fault_rates rates_of(const world_options& o) noexcept;

    simulated_kernel kernel_;
};

}  // namespace sluice::sim
