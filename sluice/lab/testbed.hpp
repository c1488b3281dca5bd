// Runs the samples of a plan: a server and a load as processes of their own, each on its cores.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/lab/cores.hpp"
#include "sluice/lab/interruption.hpp"
#include "sluice/lab/load/outcome.hpp"
#include "sluice/lab/prefaulted_memory.hpp"
#include "sluice/lab/settings.hpp"
#include "sluice/lab/workspace.hpp"

namespace sluice::lab {

/// Placeholder in the arguments of server and load for the server's address.
inline constexpr auto address_word = "ADDRESS";
/// File name of the copy in the workspace.
inline constexpr std::string_view copied_name = "copy";

struct measured_run {
    outcome seen;
    std::string server_command;  ///< shell command, with taskset(1)
    std::string load_command;
    /// Share of the time that server or load waited in a run queue, the larger of both. 0 if they
    /// share a core, and for a load without a server, whose core kernel threads may use on its
    /// behalf.
    double run_queue_wait = 0;
};

/// Bytes that a plan moves per sample unless --size gives another number.
struct sizes {
    std::uint64_t quick = 0;
    std::uint64_t normal = 0;  ///< with --full four times as much, up to 1 GiB
};

/// Settings, workspace and cores of a run; the references must outlive it. Main thread.
struct testbed {
    const settings& asked;
    const interruption& stop;
    const workspace& files;
    core_layout cores = lay_out_cores();
    prefaulted_memory memory = {};

    /// Starts the server, runs the load to its end, ends the server. The error is a sentence
    /// without its full stop.
    [[nodiscard]] std::expected<measured_run, std::string> serve(
        std::vector<std::string> server, const std::vector<int>& server_cores,
        std::vector<std::string> load, const std::vector<int>& load_cores) const;
    /// Runs a load without a server, as above.
    [[nodiscard]] std::expected<measured_run, std::string> alone(
        const std::vector<std::string>& load, const std::vector<int>& on_cores) const;

    /// Duration of a sample of a rate and of its warm-up, in seconds.
    [[nodiscard]] double seconds() const noexcept;
    [[nodiscard]] double warmup() const noexcept;
    /// Arguments of a load: --seconds, --warmup, and --sleep if it shares the only core.
    [[nodiscard]] std::vector<std::string> timing() const;
    /// Bytes per file: --size, else the size for the run length, limited by the available memory.
    [[nodiscard]] std::uint64_t file_size(const sizes& usual) const noexcept;

 private:
    [[nodiscard]] std::string command_of(std::vector<std::string> words,
                                         const std::vector<int>& on_cores) const;
};

}  // namespace sluice::lab
