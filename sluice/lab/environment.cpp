// Implements read_environment(): facts from /proc, /sys, uname(2), getrlimit(2) and the compiler.
#include "sluice/lab/environment.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include "sluice/base/sanitizer.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::lab {
namespace {

std::optional<std::string> first_line(const std::string& path) {
    std::ifstream file{path};
    std::string line;
    if (!std::getline(file, line) || line.empty()) return std::nullopt;
    std::ranges::replace(line, '\t', ' ');
    return line;
}

/// The value of `NAME : value` in a file of such lines.
std::optional<std::string> value_in(const std::string& path, std::string_view name) {
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(name)) continue;
        const auto colon = line.find(':');
        const auto from =
            colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
        if (from != std::string::npos) return line.substr(from);
    }
    return std::nullopt;
}

class facts {
 public:
    void add(std::string_view topic, std::string_view name, std::optional<std::string> value,
             bool must_match = false) {
        if (!value) return;
        all.push_back({.topic = std::string{topic},
                       .name = std::string{name},
                       .value = std::move(*value),
                       .must_match = must_match});
    }
    std::vector<fact> all;
};

std::string limit_as_text(rlim_t value) {
    return value == RLIM_INFINITY ? "unlimited" : std::to_string(value);
}

void add_kernel(facts& f) {
    utsname about{};
    if (os::sys().uname(about) == 0) {
        f.add("kernel", "release", about.release, true);
        f.add("kernel", "architecture", about.machine, true);
    }
    f.add("kernel", "clock",
          first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
    const auto& engine = io::automatic_engine();
    f.add("kernel", "io_uring",
          engine.kind == io::engine_kind::uring ? "usable" : "not usable: " + engine.reason, true);
    std::set<std::string> vulnerable;
    std::size_t mitigated = 0;
    std::error_code ec;
    for (const auto& each :
         std::filesystem::directory_iterator{"/sys/devices/system/cpu/vulnerabilities", ec}) {
        const auto state = first_line(each.path().string()).value_or("");
        if (state.starts_with("Vulnerable")) vulnerable.insert(each.path().filename().string());
        if (state.starts_with("Mitigation")) ++mitigated;
    }
    if (!ec) {
        f.add("kernel", "mitigations",
              vulnerable.empty()
                  ? fmt::format("{} on", mitigated)
                  : fmt::format("{} on, vulnerable to {}", mitigated, fmt::join(vulnerable, ", ")),
              true);
    }
}

void add_processor(facts& f, const core_layout& cores) {
    f.add("processor", "model", value_in("/proc/cpuinfo", "model name"), true);
    f.add("processor", "cores", std::to_string(cores.all.size()), true);
    f.add("processor", "server's core", std::to_string(cores.server));
    f.add("processor", "load's core", std::to_string(cores.load));
    const auto governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    f.add("processor", "governor", governor.value_or("not shown (as in most virtual machines)"));
    const auto flags = value_in("/proc/cpuinfo", "flags").value_or("");
    const bool is_virtual = (" " + flags + " ").contains(" hypervisor ");
    const auto vendor = first_line("/sys/class/dmi/id/sys_vendor");
    f.add("processor", "hypervisor",
          is_virtual ? "yes" + (vendor ? " (" + *vendor + ")" : std::string{}) : "none seen", true);
}

void add_memory(facts& f) {
    f.add("memory", "total", value_in("/proc/meminfo", "MemTotal"), true);
    f.add("memory", "available at the start", value_in("/proc/meminfo", "MemAvailable"));
    f.add("memory", "huge pages", first_line("/sys/kernel/mm/transparent_hugepage/enabled"));
    std::error_code ec;
    for (const auto& each :
         std::filesystem::directory_iterator{"/sys/bus/virtio/drivers/virtio_balloon", ec}) {
        constexpr std::size_t reporting = 5;  // VIRTIO_BALLOON_F_REPORTING: virtio 1.2, 5.5.3
        const auto features = first_line((each.path() / "features").string());
        if (features && features->size() > reporting && (*features)[reporting] == '1') {
            f.add("memory", "free page reporting", "on: free memory goes back to the host");
        }
    }
}

void add_storage(facts& f, const std::string& directory) {
    struct stat about{};
    if (os::sys().fstatat(AT_FDCWD, directory.c_str(), about, 0) < 0) return;
    const auto device = fmt::format("{}:{}", major(about.st_dev), minor(about.st_dev));
    std::ifstream mounts{"/proc/self/mountinfo"};
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream words{line};
        std::string skipped;
        std::string number;
        std::string options;
        words >> skipped >> skipped >> number >> skipped >> skipped >> options;
        if (number != device) continue;
        while (words >> skipped && skipped != "-") {
        }
        std::string type;
        std::string source;
        words >> type >> source;
        f.add("storage", "file system", type, true);
        f.add("storage", "mount options", options);
        f.add("storage", "device", source);
        break;
    }
    const auto queue = fmt::format("/sys/dev/block/{}/queue/", device);
    const auto parent = fmt::format("/sys/dev/block/{}/../queue/", device);
    const auto& from = std::filesystem::exists(queue) ? queue : parent;
    f.add("storage", "scheduler", first_line(from + "scheduler"));
    if (const auto rotational = first_line(from + "rotational")) {
        f.add("storage", "rotational", *rotational == "1" ? "yes" : "no", true);
    }
    f.add("storage", "read ahead, KiB", first_line(from + "read_ahead_kb"));
}

void add_network(facts& f) {
    const std::string ipv4 = "/proc/sys/net/ipv4/";
    f.add("network", "way", "loopback", true);
    const auto control = first_line(ipv4 + "tcp_congestion_control");
    f.add("network", "congestion control", control, true);
    if (control && control->starts_with("bbr")) {
        f.add("network", "congestion control here", "reno: it does not pace on loopback", true);
    }
    f.add("network", "receive buffer", first_line(ipv4 + "tcp_rmem"));
    f.add("network", "send buffer", first_line(ipv4 + "tcp_wmem"));
    f.add("network", "backlog", first_line("/proc/sys/net/core/somaxconn"));
}

void add_limits(facts& f) {
    rlimit found{};
    if (os::sys().getrlimit(RLIMIT_NOFILE, found) == 0) {
        f.add("limits", "open files", limit_as_text(found.rlim_max));
    }
    if (os::sys().getrlimit(RLIMIT_MEMLOCK, found) == 0) {
        f.add("limits", "locked memory", limit_as_text(found.rlim_max));
    }
    f.add("limits", "largest pipe", first_line("/proc/sys/fs/pipe-max-size"));
    f.add("limits", "user", os::sys().getuid() == 0 ? "root" : "not root");
}

void add_program(facts& f, std::string_view version) {
    f.add("sluice", "version", std::string{version});
#ifdef __clang__
    f.add("sluice", "compiler", "clang " __clang_version__, true);
#else
    f.add("sluice", "compiler", "g++ " __VERSION__, true);
#endif
#ifdef __OPTIMIZE__
    std::string build = "optimised";
#else
    std::string build = "not optimised";
#endif
#ifndef NDEBUG
    build += ", for developers";
#endif
    if (address_sanitizer || thread_sanitizer) build += ", with sanitizers";
    f.add("sluice", "build", build, true);
}

}  // namespace

std::vector<fact> read_environment(std::string_view version, const std::string& directory,
                                   const core_layout& cores) {
    facts found;
    add_program(found, version);
    add_kernel(found);
    add_processor(found, cores);
    add_memory(found);
    add_storage(found, directory);
    add_network(found);
    add_limits(found);
    return std::move(found.all);
}

}  // namespace sluice::lab
