// Where a plan's samples are taken: a server and a load in processes of their own, each on its
// cores.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/lab/cores.hpp"
#include "sluice/lab/interruption.hpp"
#include "sluice/lab/load/outcome.hpp"
#include "sluice/lab/settings.hpp"
#include "sluice/lab/touched_memory.hpp"
#include "sluice/lab/workspace.hpp"

namespace sluice::lab {

/// Stands in the words of a server and of a load for the address that the one listens at.
inline constexpr auto address_word = "ADDRESS";
/// What a plan that copies calls the copy, in the workspace.
inline constexpr std::string_view copied_name = "copy";

struct measured_run {
    outcome seen;
    std::string server_command;  ///< for a shell, pinned as it was
    std::string load_command;
    /// The share of the time in which one of them stood ready and had no core; 0 where they share
    /// one, and of a load that is alone: the kernel's own threads may work for it there.
    double kept_off = 0;
};

/// Bytes that a plan moves in a sample where nobody asks for others.
struct sizes {
    std::uint64_t quick = 0;
    std::uint64_t normal = 0;  ///< and with --full four times as much, up to 1 GiB
};

struct rig {
    const settings& asked;
    const interruption& stop;
    const workspace& files;
    core_layout cores = lay_out_cores();
    touched_memory memory = {};

    /// Starts the server, runs the load until its end, ends the server. The error is a sentence
    /// without its full stop.
    [[nodiscard]] std::expected<measured_run, std::string> serve(
        std::vector<std::string> server, const std::vector<int>& server_cores,
        std::vector<std::string> load, const std::vector<int>& load_cores) const;
    /// The same of a load that is alone.
    [[nodiscard]] std::expected<measured_run, std::string> alone(
        const std::vector<std::string>& load, const std::vector<int>& on_cores) const;

    /// How long a sample of a rate takes, and how long it warms up.
    [[nodiscard]] double seconds() const noexcept;
    [[nodiscard]] double warmup() const noexcept;
    /// --seconds and --warmup as words of a load, and --sleep where it shares the only core.
    [[nodiscard]] std::vector<std::string> timing() const;
    /// Bytes of each file: what was asked for, or as much as suits the effort and fits into memory.
    [[nodiscard]] std::uint64_t file_size(const sizes& usual) const noexcept;

 private:
    [[nodiscard]] std::string command_of(std::vector<std::string> words,
                                         const std::vector<int>& on_cores) const;
};

}  // namespace sluice::lab
