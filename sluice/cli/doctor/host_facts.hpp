// Facts about the host that matter to sluice: kernel, limits, network, cores.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sluice::cli {

/// A number, or unlimited.
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

/// The facts. An empty fact could not be read; `unreadable` names its file.
struct machine {
    std::string release;       ///< uname -r
    std::string architecture;  ///< uname -m
    std::optional<std::string> clock;
    std::optional<std::string> huge_pages;  ///< always, madvise or never
    /// Free memory goes back to the host of this virtual machine (virtio-balloon's feature 5).
    bool page_reporting = false;

    std::optional<std::uint64_t> landlock;    ///< its version; 0 without
    std::optional<bool> system_call_filters;  ///< seccomp(2)

    std::optional<limit_pair> open_files;
    std::optional<limit_pair> locked_memory;  ///< bytes
    std::optional<limit_pair> processes;      ///< of this user
    std::optional<amount> cgroup_processes;   ///< the lowest limit of our cgroup and those above it
    std::optional<std::uint64_t> memory;      ///< bytes in the machine
    std::optional<amount> cgroup_memory;      ///< bytes
    std::optional<std::uint64_t> pipe_size;   ///< the most bytes an ordinary user's pipe may hold
    std::optional<std::uint64_t> backlog;     ///< net.core.somaxconn
    std::optional<std::uint64_t> syn_backlog;
    std::optional<port_range> ephemeral_ports;

    std::optional<std::string> congestion_control;
    std::optional<std::vector<std::string>> congestion_controls;  ///< those available
    std::optional<bool> kernel_tls;               ///< tls is among tcp_available_ulp
    std::optional<std::uint64_t> receive_buffer;  ///< the most the kernel grows it to, bytes
    std::optional<std::uint64_t> send_buffer;     ///< the same

    std::optional<std::uint64_t> cores;         ///< online
    std::optional<std::uint64_t> usable_cores;  ///< in our affinity mask
    /// Cores' worth of time that our cgroup and those above it grant; infinity without a quota.
    std::optional<double> quota;

    std::vector<std::string> unreadable;
};

/// Reads the facts of this host. Files are looked up below `root`, so that a test can replace them;
/// limits and cores are the process's own. Needs no privilege, and never fails.
[[nodiscard]] machine read_machine(const std::filesystem::path& root = "/");

}  // namespace sluice::cli
