// What the system says about itself, as far as it matters to sluice: read, not judged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sluice::cli {

/// A number that may have no upper end.
struct amount {
    std::uint64_t value = 0;
    bool unlimited = false;
    friend bool operator==(const amount&, const amount&) = default;
};

/// A soft and a hard limit of the process: getrlimit(2).
struct limit_pair {
    amount soft;
    amount hard;
};

struct port_range {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
};

/// All of it. Empty: it could not be read, and `unreadable` says which file that is.
struct machine {
    std::string release;       ///< uname -r
    std::string architecture;  ///< uname -m
    std::optional<std::string> clock;
    std::optional<std::string> huge_pages;  ///< always, madvise or never
    /// Free memory goes back to the host of this virtual machine (virtio-balloon's feature 5).
    bool page_reporting = false;

    std::optional<limit_pair> open_files;
    std::optional<limit_pair> locked_memory;  ///< bytes
    std::optional<limit_pair> processes;      ///< of this user
    std::optional<amount> cgroup_processes;   ///< the least of the cgroups around us
    std::optional<std::uint64_t> memory;      ///< bytes in the machine
    std::optional<amount> cgroup_memory;      ///< bytes
    std::optional<std::uint64_t> pipe_size;   ///< the most bytes an ordinary user's pipe may hold
    std::optional<std::uint64_t> backlog;     ///< net.core.somaxconn
    std::optional<std::uint64_t> syn_backlog;
    std::optional<port_range> ephemeral_ports;

    std::optional<std::string> congestion_control;
    std::optional<std::vector<std::string>> congestion_controls;  ///< that are available
    std::optional<std::uint64_t> receive_buffer;  ///< the largest that grows by itself, bytes
    std::optional<std::uint64_t> send_buffer;     ///< the same

    std::optional<std::uint64_t> cores;         ///< online
    std::optional<std::uint64_t> usable_cores;  ///< in our affinity mask
    /// Cores' worth of time that the cgroups around us grant; infinity where they set no quota.
    std::optional<double> quota;

    std::vector<std::string> unreadable;
};

/// Reads the machine this process runs on. Files are looked up below `root`, so that a test can
/// give it others; limits and cores are the process's own. Needs no root, and never fails.
[[nodiscard]] machine read_machine(const std::filesystem::path& root = "/");

}  // namespace sluice::cli
