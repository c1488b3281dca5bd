// Implements the checks of host facts: a table of them, and the loop that goes through it.
#include "sluice/cli/doctor/checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/cli/text.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::cli {
namespace {

using json = nlohmann::ordered_json;

json to_json(const amount& limit) {
    return limit.unlimited ? json("unlimited") : json(limit.value);
}
json to_json(const limit_pair& limit) {
    return {{"soft", to_json(limit.soft)}, {"hard", to_json(limit.hard)}};
}
template <class T>
json to_json(const std::optional<T>& value) {
    if constexpr (requires(const T& each) { to_json(each); }) {
        return value ? to_json(*value) : json(nullptr);
    } else {
        return value ? json(*value) : json(nullptr);
    }
}

std::string count_in_words(const amount& limit) {
    return limit.unlimited ? "unlimited" : grouped(limit.value);
}
std::string size_in_words(const amount& limit) {
    return limit.unlimited ? "unlimited" : wire::format_size(limit.value);
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

struct facts {
    const machine& host;
    const io::uring_support& uring;
};

/// A fact as a check reads it; as constructed, one that could not be read.
struct observed_fact {
    std::optional<amount> level;  ///< what is compared with what it should be
    json value;
    std::string shown = "unreadable";
    std::optional<std::string> meaning = std::nullopt;  ///< in place of the row's
    std::optional<std::string> change = std::nullopt;   ///< the same
};

/// What a level should be. As constructed, any will do.
struct wanted_level {
    std::uint64_t good = 0;    ///< ok from here up
    std::uint64_t poor = 0;    ///< warn from here up, else bad
    std::uint64_t better = 0;  ///< what to change it to; twice the level that is higher already
};
/// Of a fact that is as it should be or not, whose level is 1 or 0: level_of().
constexpr wanted_level at_least_one{.good = 1};

struct check_row {
    std::string_view section;
    std::string_view key;
    observed_fact (*observe)(const facts&);
    wanted_level level;
    std::string_view meaning;
    fmt::format_string<std::uint64_t> change;  ///< `{0}` stands for the better level
};

amount level_of(bool good) {
    return {good ? 1U : 0U, false};
}

template <auto Member>
observed_fact observe_word(const facts& all) {
    const auto& word = all.host.*Member;
    return word ? observed_fact{.level = amount{}, .value = *word, .shown = *word}
                : observed_fact{};
}
template <auto Member, auto Shown>
observed_fact observe_number(const facts& all) {
    const auto& number = all.host.*Member;
    return number ? observed_fact{.level = amount{*number},
                                  .value = *number,
                                  .shown = Shown({*number})}
                  : observed_fact{};
}
template <auto Member, auto Shown>
observed_fact observe_limit(const facts& all) {
    const auto& limit = all.host.*Member;
    if (!limit) return {};
    const auto& [soft, hard] = *limit;
    return {.level = soft,
            .value = to_json(*limit),
            .shown = soft == hard ? Shown(soft)
                                  : fmt::format("{} (at most {})", Shown(soft), Shown(hard))};
}
/// `Part` of a buffer's bytes is what it can hold of the stream, a half or all.
template <auto Member, std::uint64_t Part>
observed_fact observe_buffer(const facts& all) {
    auto buffer = observe_number<Member, size_in_words>(all);
    if (buffer.level) {
        buffer.meaning =
            fmt::format("Bounds one connection to some {} a second where an answer takes 100 ms.",
                        wire::format_size(buffer.level->value / Part * 10));
    }
    return buffer;
}

observed_fact observe_release(const facts& all) {
    const auto& release = all.host.release;
    const bool recent = is_from(release, 6, 1);
    observed_fact kernel{.level = level_of(recent),
                         .value = release,
                         .shown = release + ' ' + all.host.architecture};
    if (!recent) kernel.meaning = "Before Linux 6.1 sluice runs on epoll, without io_uring.";
    return kernel;
}

observed_fact observe_clock(const facts& all) {
    constexpr std::array<std::string_view, 5> cheap{
        "tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "riscv_clocksource"};
    auto clock = observe_word<&machine::clock>(all);
    if (!clock.level) return clock;
    const bool fast = std::ranges::count(cheap, clock.shown) != 0;
    clock.level = level_of(fast);
    if (fast) clock.meaning = "Deadlines read the clock without a system call.";
    return clock;
}

observed_fact observe_huge_pages(const facts& all) {
    auto huge_pages = observe_word<&machine::huge_pages>(all);
    if (huge_pages.shown == "always") {
        huge_pages.meaning =
            "Memory may come in pieces of 2 MiB: the process can look larger than what it uses.";
    }
    return huge_pages;
}

observed_fact observe_page_reporting(const facts& all) {
    if (!all.host.page_reporting) return {.level = level_of(true), .value = false, .shown = "no"};
    return {.level = level_of(false),
            .value = true,
            .shown = "free memory goes back to the host",
            .meaning =
                "Memory that was free for a while is slow at its first use, so a "
                "measurement can be off by a factor: touch as much memory before it."};
}

observed_fact observe_uring(const facts& all) {
    if (all.uring.usable) return {.level = level_of(true), .value = true, .shown = "yes"};
    auto why = all.uring.why_not;
    if (!why.empty() && why[0] >= 'a' && why[0] <= 'z') why[0] -= 'a' - 'A';
    return {.level = level_of(false),
            .value = false,
            .shown = "no",
            .meaning = why + ". --engine auto takes epoll.",
            .change = all.uring.remedy};
}

observed_fact observe_landlock(const facts& all) {
    const auto& version = all.host.landlock;
    if (!version) return {};
    return {.level = amount{*version},
            .value = *version,
            .shown = *version == 0 ? std::string{"no"} : fmt::format("version {}", *version)};
}

observed_fact observe_call_filters(const facts& all) {
    const auto& works = all.host.system_call_filters;
    if (!works) return {};
    return {.level = level_of(*works), .value = *works, .shown = *works ? "yes" : "no"};
}

constexpr std::uint64_t many_files = 65'536;

observed_fact observe_open_files(const facts& all) {
    auto files = observe_limit<&machine::open_files, count_in_words>(all);
    if (!files.level) return files;
    const auto& hard = all.host.open_files->hard;
    const auto more = more_than(files.level->value, many_files);
    if (hard.unlimited || hard.value >= more) {
        files.change = fmt::format("ulimit -n {0}, or LimitNOFILE={0} in the systemd unit", more);
    }
    return files;
}

/// The lower one of the user's limit and the cgroup's.
observed_fact observe_processes(const facts& all) {
    const auto& of_group = all.host.cgroup_processes;
    if (!all.host.processes) return {};
    auto least = all.host.processes->soft;
    if (of_group && !of_group->unlimited) {
        least = {least.unlimited ? of_group->value : std::min(least.value, of_group->value), false};
    }
    auto value = to_json(all.host.processes);
    value["cgroup"] = to_json(of_group);
    return {.level = least, .value = std::move(value), .shown = count_in_words(least)};
}

observed_fact observe_memory(const facts& all) {
    const auto& of_group = all.host.cgroup_memory;
    if (!all.host.memory) return {};
    auto shown = wire::format_size(*all.host.memory);
    if (of_group && !of_group->unlimited) {
        shown = fmt::format("{} of {}", wire::format_size(of_group->value), shown);
    }
    return {.level = amount{},
            .value = {{"machine", *all.host.memory}, {"cgroup", to_json(of_group)}},
            .shown = std::move(shown)};
}

observed_fact observe_ephemeral_ports(const facts& all) {
    constexpr std::uint64_t rest = 60;  // seconds in TIME_WAIT, fixed in the kernel: tcp(7)
    if (!all.host.ephemeral_ports) return {};
    const auto [first, last] = *all.host.ephemeral_ports;
    const std::uint64_t count = last - first + 1;
    return {.level = amount{count},
            .value = {{"first", first},
                      {"last", last},
                      {"count", count},
                      {"connects_per_second", count / rest}},
            .shown = fmt::format("{} ({} to {})", grouped(count), first, last),
            .meaning = fmt::format("A client here has so many connections to one address, and can "
                                   "open some {} a second without end, as each port rests for a "
                                   "minute.",
                                   grouped(count / rest))};
}

observed_fact observe_congestion_control(const facts& all) {
    const auto& available = all.host.congestion_controls;
    auto control = observe_word<&machine::congestion_control>(all);
    if (control.level) {
        control.value = {{"current", control.shown}, {"available", to_json(available)}};
        control.level = level_of(control.shown != "reno");
    }
    if (control.shown == "reno") {
        control.meaning = "It is slow to fill fast links over long distances.";
    }
    if (control.shown == "bbr") {
        control.change = "sysctl -w net.ipv4.tcp_congestion_control=cubic";
    } else if (available && std::ranges::count(*available, "bbr") != 0) {
        control.change = "sysctl -w net.ipv4.tcp_congestion_control=bbr";
    }
    return control;
}

observed_fact observe_kernel_tls(const facts& all) {
    const auto& there = all.host.kernel_tls;
    if (!there) return {};
    return {.level = amount{}, .value = *there, .shown = *there ? "yes" : "no"};
}

observed_fact observe_cores(const facts& all) {
    const auto& usable = all.host.usable_cores;
    const auto& quota = all.host.quota;
    if (!usable) return {};
    const auto& online = all.host.cores;
    observed_fact cores{
        .level = level_of(true),
        .value = {{"online", to_json(online)}, {"usable", *usable}, {"quota", to_json(quota)}},
        .shown = online ? fmt::format("{} of {}", *usable, *online) : fmt::to_string(*usable)};
    if (!quota) return cores;
    if (!std::isfinite(*quota)) {
        cores.value["quota"] = "unlimited";
        return cores;
    }
    cores.shown += fmt::format(", quota {:.2g}", *quota);
    if (*quota >= static_cast<double>(*usable)) return cores;
    const auto fewer = static_cast<std::uint64_t>(std::max(1.0, std::floor(*quota)));
    cores.level = level_of(false);
    cores.meaning = fmt::format(
        "So many workers as the quota grants are started, {}, unless --workers says otherwise: "
        "once it is spent all threads stand still for the rest of its period, and so does every "
        "client.",
        fewer);
    cores.change = fmt::format(
        "docker run --cpus, or CPUQuota= in the systemd unit, for more than --workers {}", fewer);
    return cores;
}

/// The checks, in the order of display.
constexpr std::array all_checks{
    check_row{"kernel", "release", observe_release, at_least_one,
              "Linux 6.1 brought the last of what sluice uses of io_uring.",
              "install a kernel from 6.1 on and reboot; Debian 12 has one"},
    check_row{"kernel", "clock", observe_clock, at_least_one,
              "Deadlines may need a system call for each look at the clock.",
              "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource"},
    check_row{"kernel",
              "huge_pages",
              observe_huge_pages,
              {},
              "Memory comes in small pages: the process is as large as it looks.",
              "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"},
    check_row{"kernel", "page_reporting", observe_page_reporting, at_least_one,
              "Free memory stays in this machine, ready for use.",
              "on the host: the balloon device without free page reporting"},
    check_row{"io_uring", "usable", observe_uring, at_least_one, "--engine auto takes it.",
              "sysctl -w kernel.io_uring_disabled=2 forbids it to all"},
    check_row{
        "sandbox",
        "landlock",
        observe_landlock,
        {.good = 3, .poor = 1},
        "Servers reach only the files that they serve; before version 3 they may cut short "
        "files that they only read.",
        "a kernel from 6.2 on with landlock in lsm=; a container's filter may forbid it, too"},
    check_row{"sandbox", "seccomp", observe_call_filters, at_least_one,
              "Servers make only the system calls that serving takes.",
              "a kernel with CONFIG_SECCOMP_FILTER"},
    check_row{"limits",
              "open_files",
              observe_open_files,
              {.good = 10'000, .poor = 256, .better = many_files},
              "Each connection takes one, and each file that is sent another.",
              "as root: ulimit -n {0}, or LimitNOFILE={0} in the systemd unit"},
    check_row{"limits",
              "locked_memory",
              observe_limit<&machine::locked_memory, size_in_words>,
              {.good = 8U << 20U},
              "Zero-copy sends and registered buffers count against it.",
              "as root: ulimit -l unlimited, or LimitMEMLOCK=infinity in the systemd unit"},
    check_row{"limits",
              "processes",
              observe_processes,
              {.good = 4096, .poor = 64},
              "--model fork and --model thread take one for each connection.",
              "ulimit -u 65536, TasksMax= in the systemd unit, or docker run --pids-limit"},
    check_row{"limits",
              "memory",
              observe_memory,
              {},
              "The cache of files that are sent and stored counts against it.",
              "MemoryMax= in the systemd unit, or docker run --memory"},
    check_row{"limits",
              "pipe_size",
              observe_number<&machine::pipe_size, size_in_words>,
              {.good = 1U << 20U, .better = 1U << 20U},
              "splice moves files through a pipe of 1 MiB, or of this if it is less.",
              "sysctl -w fs.pipe-max-size={0}"},
    check_row{"limits",
              "backlog",
              observe_number<&machine::backlog, count_in_words>,
              {.good = 1024, .poor = 1, .better = 4096},
              "So many connections may wait to be accepted; the next ones are ignored, and try "
              "again a second later.",
              "sysctl -w net.core.somaxconn={0}"},
    check_row{"limits",
              "syn_backlog",
              observe_number<&machine::syn_backlog, count_in_words>,
              {.good = 256, .poor = 1, .better = 4096},
              "So many handshakes may be under way on one listener.",
              "sysctl -w net.ipv4.tcp_max_syn_backlog={0}"},
    check_row{"limits",
              "ephemeral_ports",
              observe_ephemeral_ports,
              {.good = 10'000, .poor = 1000},
              "They bound how many connections a client here can open.",
              "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\""},
    check_row{"network", "congestion_control", observe_congestion_control, at_least_one,
              "It decides how fast a connection speeds up and slows down; bbr stands lost packets "
              "better than cubic.",
              "modprobe tcp_bbr && sysctl -w net.ipv4.tcp_congestion_control=bbr"},
    check_row{"network",
              "kernel_tls",
              observe_kernel_tls,
              {},
              "Not used: a server encrypts by itself, up to 256 KiB for one send.",
              "modprobe tls, for other programs"},
    // The kernel keeps half of a receive buffer for its own bookkeeping: tcp(7), tcp_adv_win_scale.
    check_row{"network",
              "receive_buffer",
              observe_buffer<&machine::receive_buffer, 2>,
              {.good = 4U << 20U, .better = 16U << 20U},
              "Bounds one connection's rate over long distances.",
              "sysctl -w net.ipv4.tcp_rmem=\"4096 131072 {0}\""},
    check_row{"network",
              "send_buffer",
              observe_buffer<&machine::send_buffer, 1>,
              {.good = 4U << 20U, .better = 16U << 20U},
              "Bounds one connection's rate over long distances.",
              "sysctl -w net.ipv4.tcp_wmem=\"4096 16384 {0}\""},
    check_row{"processors", "cores", observe_cores, at_least_one,
              "So many workers are started, unless --workers says otherwise.",
              "--workers N, or taskset -c 0 sluice ... for fewer"}};

mark rate(const std::optional<amount>& level, const wanted_level& row) {
    if (!level) return mark::unknown;
    if (level->unlimited || level->value >= row.good) return mark::ok;
    return level->value >= row.poor ? mark::warn : mark::bad;
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
    std::vector<finding> found;
    for (const auto& row : all_checks) {
        auto fact = row.observe({host, uring});
        if (!fact.meaning) fact.meaning = row.meaning;
        if (!fact.change) {
            const auto level = fact.level.value_or(amount{}).value;
            fact.change = fmt::format(row.change, more_than(level, row.level.better));
        }
        found.push_back({.section = row.section,
                         .key = row.key,
                         .result = rate(fact.level, row.level),
                         .value = std::move(fact.value),
                         .shown = std::move(fact.shown),
                         .meaning = *std::move(fact.meaning),
                         .change = *std::move(fact.change)});
    }
    return found;
}

}  // namespace sluice::cli
