// What one run of a world is made from: a seed, and what the command line takes away from it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/planted_bug.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/sim/disk_faults.hpp"
#include "sluice/sim/fault_rates.hpp"
#include "tests/worlds/program_faults.hpp"

namespace sluice::worlds {

/// The rates of one run: of the kernel, of its disk, and of the programs that a server starts.
struct drawn_rates {
    sim::fault_rates kernel;
    sim::disk_faults disk;
    program_faults programs;
};

/// A class of faults by its name, and where its rate is: one of the three.
struct fault_class {
    std::string_view name;
    double sim::fault_rates::* of_kernel = nullptr;
    double sim::disk_faults::* of_disk = nullptr;
    double program_faults::* of_program = nullptr;

    [[nodiscard]] constexpr double& in(drawn_rates& all) const noexcept {
        if (of_program != nullptr) return all.programs.*of_program;
        return of_kernel != nullptr ? all.kernel.*of_kernel : all.disk.*of_disk;
    }
};

/// All of them. One bit of setting::faults each, in this order.
inline constexpr std::array fault_classes{
    fault_class{"short_write", &sim::fault_rates::short_write},
    fault_class{"short_arrival", &sim::fault_rates::short_arrival},
    fault_class{"single_byte", &sim::fault_rates::single_byte},
    fault_class{"not_now", &sim::fault_rates::not_now},
    fault_class{"delay", &sim::fault_rates::delay},
    fault_class{"clog", &sim::fault_rates::clog},
    fault_class{"stuck", &sim::fault_rates::stuck},
    fault_class{"reset", &sim::fault_rates::reset},
    fault_class{"gone", &sim::fault_rates::gone},
    fault_class{"refused", &sim::fault_rates::refused},
    fault_class{"unanswered", &sim::fault_rates::unanswered},
    fault_class{"ended_at_once", &sim::fault_rates::ended_at_once},
    fault_class{"aborted", &sim::fault_rates::aborted},
    fault_class{"no_descriptor", &sim::fault_rates::no_descriptor},
    fault_class{"no_memory", &sim::fault_rates::no_memory},
    fault_class{"interrupted", &sim::fault_rates::interrupted},
    fault_class{"spurious", &sim::fault_rates::spurious},
    fault_class{"no_thread", &sim::fault_rates::no_thread},
    fault_class{"short_splice", &sim::fault_rates::short_splice},
    fault_class{"wall_jump", &sim::fault_rates::wall_jump},
    fault_class{"process_stall", &sim::fault_rates::process_stall},
    fault_class{"ring_small", &sim::fault_rates::ring_small},
    fault_class{"ring_refused", &sim::fault_rates::ring_refused},
    fault_class{"ring_busy", &sim::fault_rates::ring_busy},
    fault_class{"ring_ended", &sim::fault_rates::ring_ended},
    fault_class{"ring_late", &sim::fault_rates::ring_late},
    fault_class{"ring_cancel", &sim::fault_rates::ring_cancel},
    fault_class{"ring_again", &sim::fault_rates::ring_again},
    fault_class{"ring_no_buffer", &sim::fault_rates::ring_no_buffer},
    fault_class{"no_process", &sim::fault_rates::no_process},
    fault_class{.name = "disk_short_write", .of_disk = &sim::disk_faults::short_write},
    fault_class{.name = "disk_short_read", .of_disk = &sim::disk_faults::short_read},
    fault_class{.name = "disk_no_space", .of_disk = &sim::disk_faults::no_space},
    fault_class{.name = "disk_over_quota", .of_disk = &sim::disk_faults::over_quota},
    fault_class{.name = "disk_failed_read", .of_disk = &sim::disk_faults::failed_read},
    fault_class{.name = "disk_failed_write", .of_disk = &sim::disk_faults::failed_write},
    fault_class{.name = "disk_failed_sync", .of_disk = &sim::disk_faults::failed_sync},
    fault_class{.name = "disk_slow_sync", .of_disk = &sim::disk_faults::slow_sync},
    fault_class{.name = "disk_false_free_space", .of_disk = &sim::disk_faults::false_free_space},
    fault_class{.name = "program_slow_start", .of_program = &program_faults::slow_start},
    fault_class{.name = "program_banner", .of_program = &program_faults::banner},
    fault_class{.name = "program_ends_unasked", .of_program = &program_faults::ends_unasked},
    fault_class{.name = "program_stays", .of_program = &program_faults::stays},
    fault_class{.name = "program_slow", .of_program = &program_faults::slow},
    fault_class{.name = "program_split", .of_program = &program_faults::split},
    fault_class{.name = "program_trickle", .of_program = &program_faults::trickle},
    fault_class{.name = "program_ends", .of_program = &program_faults::ends},
    fault_class{.name = "program_hangs", .of_program = &program_faults::hangs},
    fault_class{.name = "program_endless", .of_program = &program_faults::endless},
    fault_class{.name = "program_extra", .of_program = &program_faults::extra},
    fault_class{.name = "program_closes", .of_program = &program_faults::closes},
    fault_class{.name = "program_noisy", .of_program = &program_faults::noisy},
};
static_assert(fault_classes.size() <= 64);

/// One run. The same setting gives the same trace, on every machine.
struct setting {
    std::uint64_t seed = 1;
    unsigned most_clients = 1000;  ///< a world has no more than this, however many it draws
    std::uint64_t faults = ~std::uint64_t{0};  ///< a bit for each class that may happen
    bug planted = bug::none;
    std::optional<io::engine_kind> engine{};  ///< of the server; none: drawn from the seed
    std::optional<bool> tls{};                ///< as above: its doors and clients speak TLS
    std::optional<bool> exec{};               ///< as above: programs answer in the world of compute
    bool keep_trace = false;

    /// The rates that the seed draws, without those that are not in `faults`.
    [[nodiscard]] drawn_rates rates() const;
    /// The options that repeat it: "--seed 17 --clients 2 --faults reset,delay".
    [[nodiscard]] std::string options() const;
};

/// The bits of the classes that `names` lists with commas; throws std::invalid_argument.
[[nodiscard]] std::uint64_t faults_of(std::string_view names);
/// The engine of that name; throws std::invalid_argument.
[[nodiscard]] io::engine_kind engine_of(std::string_view name);
/// The bug of that name; throws std::invalid_argument.
[[nodiscard]] bug bug_of(std::string_view name);

}  // namespace sluice::worlds
