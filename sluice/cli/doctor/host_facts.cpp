// Reads the host facts from /proc, /sys, the resource limits and the cgroups.
#include "sluice/cli/doctor/host_facts.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <memory>
#include <sstream>
#include <string_view>
#include <utility>

#include "sluice/base/parse_number.hpp"
#include "sluice/cli/text_file.hpp"
#include "sluice/os/cgroup.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/sandbox/landlock.hpp"
#include "sluice/sandbox/system_call_filter.hpp"

namespace sluice::cli {
namespace {

/// "max" or a number, as cgroups write limits; version 1 writes a huge number for no limit.
std::optional<amount> to_amount(std::string_view text) {
    constexpr std::uint64_t huge = 1ULL << 62U;
    if (text == "max") return amount{0, true};
    const auto number = parse_number(text);
    if (!number) return std::nullopt;
    return *number >= huge ? amount{0, true} : amount{*number, false};
}

/// The files below a root, and the names of those that could not be read.
class file_tree {
 public:
    file_tree(std::filesystem::path root, std::vector<std::string>& unreadable)
        : root_{std::move(root)}, unreadable_{unreadable} {}

    /// The content of a file that a sound system may lack.
    [[nodiscard]] std::optional<std::string> try_text(const std::filesystem::path& path) const {
        auto text = read_text(root_ / path.relative_path());
        if (!text || text->empty()) return std::nullopt;
        return std::move(*text);
    }
    [[nodiscard]] text_reader reader() const {
        return [this](const std::filesystem::path& path) { return try_text(path); };
    }
    [[nodiscard]] std::vector<std::string> try_words(const std::filesystem::path& path) const {
        return words_in(try_text(path).value_or(""));
    }
    /// The words of a file that every system has, at least `least` of them.
    std::vector<std::string> words(const std::filesystem::path& path, std::size_t least = 1) {
        auto found = try_words(path);
        if (found.size() < least) {
            unreadable_.push_back(path);
            found.clear();
        }
        return found;
    }
    std::optional<std::uint64_t> number(const std::filesystem::path& path, std::size_t at = 0) {
        const auto found = words(path, at + 1);
        if (found.empty()) return std::nullopt;
        auto value = parse_number(found[at]);
        if (!value) unreadable_.push_back(path);
        return value;
    }
    std::optional<std::string> word(const std::filesystem::path& path) {
        auto found = words(path);
        if (found.empty()) return std::nullopt;
        return std::move(found.front());
    }
    [[nodiscard]] std::vector<std::filesystem::path> entries(
        const std::filesystem::path& path) const {
        std::vector<std::filesystem::path> found;
        std::error_code ignored;
        for (const auto& each :
             std::filesystem::directory_iterator{root_ / path.relative_path(), ignored}) {
            found.push_back(path / each.path().filename());
        }
        return found;
    }

 private:
    std::filesystem::path root_;
    std::vector<std::string>& unreadable_;
};

/// The lowest value of a limit in our cgroup and those above it; unlimited if none sets it.
amount least_in(const file_tree& files, std::string_view controller,
                std::initializer_list<const char*> names) {
    amount least{0, true};
    for (const auto& directory : cgroups_of(files.reader(), controller)) {
        for (const auto* name : names) {
            const auto words = files.try_words(directory / name);
            const auto found = words.empty() ? std::nullopt : to_amount(words.front());
            if (found && !found->unlimited && (least.unlimited || found->value < least.value)) {
                least = *found;
            }
        }
    }
    return least;
}

std::optional<limit_pair> read_limit(int which) {
    rlimit found{};
    if (os::sys().getrlimit(which, found) < 0) return std::nullopt;
    const auto to = [](rlim_t value) {
        return value == RLIM_INFINITY ? amount{0, true} : amount{value, false};
    };
    return limit_pair{to(found.rlim_cur), to(found.rlim_max)};
}

std::optional<std::uint64_t> usable_cores() {
    // The mask of a machine with more than 1,024 cores does not fit the fixed cpu_set_t.
    for (std::size_t cores = 1024; cores <= std::size_t{1} << 16U; cores *= 2) {
        const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> mask{
            CPU_ALLOC(cores), [](cpu_set_t* set) { CPU_FREE(set); }};
        const auto bytes = CPU_ALLOC_SIZE(cores);
        if (mask != nullptr && os::sys().sched_getaffinity(*mask, bytes) == 0) {
            return static_cast<std::uint64_t>(CPU_COUNT_S(bytes, mask.get()));
        }
    }
    return std::nullopt;
}

bool read_page_reporting(const file_tree& files) {
    constexpr std::size_t reporting = 5;  // VIRTIO_BALLOON_F_REPORTING: virtio 1.2, section 5.5.3
    const auto devices = files.entries("/sys/bus/virtio/drivers/virtio_balloon");
    return std::ranges::any_of(devices, [&](const auto& device) {
        const auto features = files.try_words(device / "features");
        return !features.empty() && features.front().size() > reporting &&
               features.front()[reporting] == '1';
    });
}

/// The word in brackets of "always [madvise] never".
std::optional<std::string> bracketed(const std::vector<std::string>& words) {
    for (const auto& word : words) {
        if (word.size() > 2 && word.front() == '[') return word.substr(1, word.size() - 2);
    }
    return std::nullopt;
}

std::optional<std::uint64_t> read_memory(file_tree& files) {
    // "MemTotal:  16384000 kB" comes first.
    const auto kilobytes = files.number("/proc/meminfo", 1);
    return kilobytes ? std::optional{*kilobytes * 1024} : std::nullopt;
}

}  // namespace

machine read_machine(const std::filesystem::path& root) {
    machine found;
    file_tree files{root, found.unreadable};
    utsname system{};
    if (os::sys().uname(system) == 0) {
        found.release = system.release;
        found.architecture = system.machine;
    }
    found.clock = files.word("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    found.huge_pages = bracketed(files.words("/sys/kernel/mm/transparent_hugepage/enabled"));
    found.page_reporting = read_page_reporting(files);

    found.landlock = static_cast<std::uint64_t>(sandbox::landlock_version());
    found.system_call_filters = sandbox::has_system_call_filters();

    found.open_files = read_limit(RLIMIT_NOFILE);
    found.locked_memory = read_limit(RLIMIT_MEMLOCK);
    found.processes = read_limit(RLIMIT_NPROC);
    found.memory = read_memory(files);
    if (!files.words("/proc/self/cgroup").empty()) {
        found.cgroup_processes = least_in(files, "pids", {"pids.max"});
        found.cgroup_memory = least_in(files, "memory", {"memory.max", "memory.limit_in_bytes"});
        found.quota = cpu_quota(files.reader());
    }
    found.pipe_size = files.number("/proc/sys/fs/pipe-max-size");
    found.backlog = files.number("/proc/sys/net/core/somaxconn");
    found.syn_backlog = files.number("/proc/sys/net/ipv4/tcp_max_syn_backlog");
    const auto first = files.number("/proc/sys/net/ipv4/ip_local_port_range", 0);
    const auto last = files.number("/proc/sys/net/ipv4/ip_local_port_range", 1);
    if (first && last && *last >= *first && *last <= 65535) {
        found.ephemeral_ports =
            port_range{static_cast<std::uint32_t>(*first), static_cast<std::uint32_t>(*last)};
    }

    found.congestion_control = files.word("/proc/sys/net/ipv4/tcp_congestion_control");
    auto available = files.words("/proc/sys/net/ipv4/tcp_available_congestion_control");
    if (!available.empty()) found.congestion_controls = std::move(available);
    const auto protocols = files.words("/proc/sys/net/ipv4/tcp_available_ulp");
    if (!protocols.empty()) found.kernel_tls = std::ranges::count(protocols, "tls") != 0;
    found.receive_buffer = files.number("/proc/sys/net/ipv4/tcp_rmem", 2);
    found.send_buffer = files.number("/proc/sys/net/ipv4/tcp_wmem", 2);

    if (const long online = ::sysconf(_SC_NPROCESSORS_ONLN); online > 0) {
        found.cores = static_cast<std::uint64_t>(online);
    }
    found.usable_cores = usable_cores();

    std::ranges::sort(found.unreadable);
    const auto repeated = std::ranges::unique(found.unreadable);
    found.unreadable.erase(repeated.begin(), repeated.end());
    return found;
}

}  // namespace sluice::cli
