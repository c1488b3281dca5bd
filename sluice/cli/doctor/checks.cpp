// Implements the checks of host facts.
#include "sluice/cli/doctor/checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "sluice/cli/text.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::cli {
namespace {

using json = nlohmann::ordered_json;

json to_json(const amount& limit) {
    return limit.unlimited ? json("unlimited") : json(limit.value);
}
json to_json(const std::optional<limit_pair>& limit) {
    if (!limit) return nullptr;
    return {{"soft", to_json(limit->soft)}, {"hard", to_json(limit->hard)}};
}
template <class T>
json to_json(const std::optional<T>& value) {
    return value ? json(*value) : json(nullptr);
}

std::string count_in_words(const amount& limit) {
    return limit.unlimited ? "unlimited" : grouped(limit.value);
}
std::string size_in_words(const amount& limit) {
    return limit.unlimited ? "unlimited" : wire::format_size(limit.value);
}
template <class Shown>
std::string both_in_words(const std::optional<limit_pair>& limit, Shown shown) {
    if (!limit) return "unreadable";
    if (limit->soft == limit->hard) return shown(limit->soft);
    return fmt::format("{} (at most {})", shown(limit->soft), shown(limit->hard));
}

/// ok from `good` up, warn from `poor` up, else bad.
mark rate(const std::optional<std::uint64_t>& value, std::uint64_t good, std::uint64_t poor) {
    if (!value) return mark::unknown;
    return *value >= good ? mark::ok : *value >= poor ? mark::warn : mark::bad;
}
mark rate(const std::optional<amount>& value, std::uint64_t good, std::uint64_t poor) {
    if (!value) return mark::unknown;
    return value->unlimited ? mark::ok : rate(std::optional{value->value}, good, poor);
}
std::optional<amount> soft_of(const std::optional<limit_pair>& limit) {
    return limit ? std::optional{limit->soft} : std::nullopt;
}

/// Whether `release`, as uname(2) writes it, is `major`.`minor` or newer.
bool is_from(std::string_view release, int major, int minor) {
    std::pair<int, int> version{};
    const auto* end = release.data() + release.size();
    const auto [dot, code] = std::from_chars(release.data(), end, version.first);
    if (code == std::errc{} && dot != end) std::from_chars(dot + 1, end, version.second);
    return version >= std::pair{major, minor};
}

/// A better value for a setting: `enough`, or twice a `value` that is enough already.
std::uint64_t more_than(std::uint64_t value, std::uint64_t enough) {
    return value < enough ? enough : value * 2;
}

finding check_release(const machine& host) {
    const bool recent = is_from(host.release, 6, 1);
    return {.section = "kernel",
            .key = "release",
            .verdict = recent ? mark::ok : mark::warn,
            .value = host.release,
            .shown = host.release + ' ' + host.architecture,
            .meaning = recent ? "Linux 6.1 brought the last of what sluice uses of io_uring."
                              : "Before Linux 6.1 sluice runs on epoll, without io_uring.",
            .change = "install a kernel from 6.1 on and reboot; Debian 12 has one"};
}

finding check_clock(const machine& host) {
    constexpr std::array<std::string_view, 5> cheap{
        "tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "riscv_clocksource"};
    const bool fast = host.clock && std::ranges::count(cheap, *host.clock) != 0;
    return {
        .section = "kernel",
        .key = "clock",
        .verdict = !host.clock ? mark::unknown
                   : fast      ? mark::ok
                               : mark::warn,
        .value = to_json(host.clock),
        .shown = host.clock.value_or("unreadable"),
        .meaning = fast ? "Deadlines read the clock without a system call."
                        : "Deadlines may need a system call for each look at the clock.",
        .change = "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource"};
}

finding check_huge_pages(const machine& host) {
    return {.section = "kernel",
            .key = "huge_pages",
            .verdict = host.huge_pages ? mark::ok : mark::unknown,
            .value = to_json(host.huge_pages),
            .shown = host.huge_pages.value_or("unreadable"),
            .meaning = host.huge_pages == "always"
                           ? "Memory may come in pieces of 2 MiB: the process can look larger than "
                             "what it uses."
                           : "Memory comes in small pages: the process is as large as it looks.",
            .change = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"};
}

finding check_page_reporting(const machine& host) {
    const bool on = host.page_reporting;
    return {.section = "kernel",
            .key = "page_reporting",
            .verdict = on ? mark::warn : mark::ok,
            .value = on,
            .shown = on ? "free memory goes back to the host" : "no",
            .meaning = on ? "Memory that was free for a while is slow at its first use, so a "
                            "measurement can be off by a factor: touch as much memory before it."
                          : "Free memory stays in this machine, ready for use.",
            .change = "on the host: the balloon device without free page reporting"};
}

finding check_uring(const io::uring_support& uring) {
    const auto sentence = [](std::string text) {
        if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] -= 'a' - 'A';
        return text + '.';
    };
    return {.section = "io_uring",
            .key = "usable",
            .verdict = uring.usable ? mark::ok : mark::warn,
            .value = uring.usable,
            .shown = uring.usable ? "yes" : "no",
            .meaning = uring.usable ? "--engine auto takes it."
                                    : sentence(uring.why_not) + " --engine auto takes epoll.",
            .change = uring.usable ? "sysctl -w kernel.io_uring_disabled=2 forbids it to all"
                                   : uring.remedy};
}

finding check_open_files(const machine& host) {
    const auto& limit = host.open_files;
    const auto wanted = more_than(limit ? limit->soft.value : 0, 65'536);
    const bool allowed = limit && (limit->hard.unlimited || limit->hard.value >= wanted);
    return {.section = "limits",
            .key = "open_files",
            .verdict = rate(soft_of(limit), 10'000, 256),
            .value = to_json(limit),
            .shown = both_in_words(limit, count_in_words),
            .meaning = "Each connection takes one, and each file that is sent another.",
            .change = fmt::format("{}ulimit -n {}, or LimitNOFILE={} in the systemd unit",
                                  allowed ? "" : "as root: ", wanted, wanted)};
}

finding check_locked_memory(const machine& host) {
    const auto& limit = host.locked_memory;
    return {.section = "limits",
            .key = "locked_memory",
            .verdict = rate(soft_of(limit), 8ULL << 20U, 0),
            .value = to_json(limit),
            .shown = both_in_words(limit, size_in_words),
            .meaning = "Zero-copy sends and registered buffers count against it.",
            .change = "as root: ulimit -l unlimited, or LimitMEMLOCK=infinity in the systemd unit"};
}

finding check_processes(const machine& host) {
    json value = nullptr;
    std::optional<amount> least = soft_of(host.processes);
    if (least) {
        value = to_json(host.processes);
        value["cgroup"] = host.cgroup_processes ? to_json(*host.cgroup_processes) : json(nullptr);
        if (host.cgroup_processes && !host.cgroup_processes->unlimited) {
            const auto of_group = host.cgroup_processes->value;
            least = amount{least->unlimited ? of_group : std::min(least->value, of_group), false};
        }
    }
    return {.section = "limits",
            .key = "processes",
            .verdict = rate(least, 4096, 64),
            .value = value,
            .shown = least ? count_in_words(*least) : "unreadable",
            .meaning = "--model fork and --model thread take one for each connection.",
            .change = "ulimit -u 65536, TasksMax= in the systemd unit, or docker run --pids-limit"};
}

finding check_memory(const machine& host) {
    json value = nullptr;
    std::string shown = "unreadable";
    if (host.memory) {
        value = {{"machine", *host.memory},
                 {"cgroup", host.cgroup_memory ? to_json(*host.cgroup_memory) : json(nullptr)}};
        shown = wire::format_size(*host.memory);
        if (host.cgroup_memory && !host.cgroup_memory->unlimited) {
            shown = fmt::format("{} of {}", wire::format_size(host.cgroup_memory->value), shown);
        }
    }
    return {.section = "limits",
            .key = "memory",
            .verdict = host.memory ? mark::ok : mark::unknown,
            .value = value,
            .shown = shown,
            .meaning = "The cache of files that are sent and stored counts against it.",
            .change = "MemoryMax= in the systemd unit, or docker run --memory"};
}

finding check_pipe_size(const machine& host) {
    return {.section = "limits",
            .key = "pipe_size",
            .verdict = rate(host.pipe_size, 1U << 20U, 0),
            .value = to_json(host.pipe_size),
            .shown = host.pipe_size ? wire::format_size(*host.pipe_size) : "unreadable",
            .meaning = "splice moves files through a pipe of 1 MiB, or of this if it is less.",
            .change = fmt::format("sysctl -w fs.pipe-max-size={}",
                                  more_than(host.pipe_size.value_or(0), 1U << 20U))};
}

finding check_backlog(const machine& host) {
    return {.section = "limits",
            .key = "backlog",
            .verdict = rate(host.backlog, 1024, 1),
            .value = to_json(host.backlog),
            .shown = host.backlog ? grouped(*host.backlog) : "unreadable",
            .meaning =
                "So many connections may wait to be accepted; the next ones are ignored, and "
                "try again a second later.",
            .change = fmt::format("sysctl -w net.core.somaxconn={}",
                                  more_than(host.backlog.value_or(0), 4096))};
}

finding check_syn_backlog(const machine& host) {
    return {.section = "limits",
            .key = "syn_backlog",
            .verdict = rate(host.syn_backlog, 256, 1),
            .value = to_json(host.syn_backlog),
            .shown = host.syn_backlog ? grouped(*host.syn_backlog) : "unreadable",
            .meaning = "So many handshakes may be under way on one listener.",
            .change = fmt::format("sysctl -w net.ipv4.tcp_max_syn_backlog={}",
                                  more_than(host.syn_backlog.value_or(0), 4096))};
}

finding check_ephemeral_ports(const machine& host) {
    constexpr std::uint64_t rest = 60;  // seconds in TIME_WAIT, fixed in the kernel: tcp(7)
    const auto& range = host.ephemeral_ports;
    const auto count =
        range ? std::optional<std::uint64_t>{range->last - range->first + 1} : std::nullopt;
    return {
        .section = "limits",
        .key = "ephemeral_ports",
        .verdict = rate(count, 10'000, 1000),
        .value = range ? json{{"first", range->first},
                              {"last", range->last},
                              {"count", *count},
                              {"connects_per_second", *count / rest}}
                       : json(nullptr),
        .shown = range ? fmt::format("{} ({} to {})", grouped(*count), range->first, range->last)
                       : "unreadable",
        .meaning = range ? fmt::format("A client here has so many connections to one address, "
                                       "and can open some {} a second without end, as each port "
                                       "rests for a minute.",
                                       grouped(*count / rest))
                         : "They bound how many connections a client here can open.",
        .change = "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\""};
}

finding check_congestion_control(const machine& host) {
    const bool has_bbr =
        host.congestion_controls && std::ranges::count(*host.congestion_controls, "bbr") != 0;
    const bool uses_bbr = host.congestion_control == "bbr";
    const bool slow = host.congestion_control == "reno";
    json value = nullptr;
    if (host.congestion_control) {
        value = {{"current", *host.congestion_control},
                 {"available", to_json(host.congestion_controls)}};
    }
    return {.section = "network",
            .key = "congestion_control",
            .verdict = !host.congestion_control ? mark::unknown
                       : slow                   ? mark::warn
                                                : mark::ok,
            .value = value,
            .shown = host.congestion_control.value_or("unreadable"),
            .meaning = slow ? "It is slow to fill fast links over long distances."
                            : "It decides how fast a connection speeds up and slows down; bbr "
                              "stands lost packets better than cubic.",
            .change = uses_bbr  ? "sysctl -w net.ipv4.tcp_congestion_control=cubic"
                      : has_bbr ? "sysctl -w net.ipv4.tcp_congestion_control=bbr"
                                : "modprobe tcp_bbr && sysctl -w "
                                  "net.ipv4.tcp_congestion_control=bbr"};
}

finding check_buffer(std::string_view key, const std::optional<std::uint64_t>& bytes,
                     std::uint64_t usable_part, std::string_view setting) {
    return {.section = "network",
            .key = key,
            .verdict = rate(bytes, 4U << 20U, 0),
            .value = to_json(bytes),
            .shown = bytes ? wire::format_size(*bytes) : "unreadable",
            .meaning = bytes ? fmt::format("Bounds one connection to some {} a second where an "
                                           "answer takes 100 ms.",
                                           wire::format_size(*bytes / usable_part * 10))
                             : "Bounds one connection's rate over long distances.",
            .change = fmt::format("sysctl -w {} {}\"", setting,
                                  more_than(bytes.value_or(0), 16U << 20U))};
}

finding check_cores(const machine& host) {
    const auto& usable = host.usable_cores;
    const auto& quota = host.quota;
    const bool capped = quota && std::isfinite(*quota);
    const bool throttled = capped && usable && *quota < static_cast<double>(*usable);
    json value = nullptr;
    std::string shown = "unreadable";
    if (usable) {
        value = {{"online", to_json(host.cores)},
                 {"usable", *usable},
                 {"quota", capped  ? json(*quota)
                           : quota ? json("unlimited")
                                   : json(nullptr)}};
        shown =
            host.cores ? fmt::format("{} of {}", *usable, *host.cores) : fmt::to_string(*usable);
        if (capped) shown += fmt::format(", quota {:.2g}", *quota);
    }
    const auto fewer =
        throttled ? static_cast<std::uint64_t>(std::max(1.0, std::floor(*quota))) : 1;
    return {.section = "processors",
            .key = "cores",
            .verdict = !usable     ? mark::unknown
                       : throttled ? mark::warn
                                   : mark::ok,
            .value = value,
            .shown = shown,
            .meaning = throttled
                           ? fmt::format("So many workers as the quota grants are started, {}, "
                                         "unless --workers says otherwise: once it is spent all "
                                         "threads stand still for the rest of its period, and so "
                                         "does every client.",
                                         fewer)
                           : "So many workers are started, unless --workers says otherwise.",
            .change = throttled
                          ? fmt::format("docker run --cpus, or CPUQuota= in the systemd unit, for "
                                        "more than --workers {}",
                                        fewer)
                          : "--workers N, or taskset -c 0 sluice ... for fewer"};
}

}  // namespace

std::string_view to_text(mark result) noexcept {
    switch (result) {
        case mark::ok: return "ok";
        case mark::unknown: return "?";
        case mark::warn: return "warn";
        case mark::bad: return "bad";
    }
    return "?";
}

std::vector<finding> judge_machine(const machine& host, const io::uring_support& uring) {
    return {
        check_release(host), check_clock(host), check_huge_pages(host), check_page_reporting(host),
        check_uring(uring), check_open_files(host), check_locked_memory(host),
        check_processes(host), check_memory(host), check_pipe_size(host), check_backlog(host),
        check_syn_backlog(host), check_ephemeral_ports(host), check_congestion_control(host),
        // The kernel keeps half of a receive buffer for its own bookkeeping: tcp(7),
        // tcp_adv_win_scale.
        check_buffer("receive_buffer", host.receive_buffer, 2, "net.ipv4.tcp_rmem=\"4096 131072"),
        check_buffer("send_buffer", host.send_buffer, 1, "net.ipv4.tcp_wmem=\"4096 16384"),
        check_cores(host)};
}

}  // namespace sluice::cli
