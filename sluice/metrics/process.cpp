// Implements the metrics of the process over proc(5) and getrusage(2).
#include "sluice/metrics/process.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "sluice/base/bytes.hpp"
#include "sluice/os/directory_reader.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::metrics {
namespace {

std::uint64_t nanoseconds_of(const timeval& t) noexcept {
    return (static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000) +
           (static_cast<std::uint64_t>(t.tv_usec) * 1'000);
}

std::optional<std::uint64_t> cpu_time_of(int who) noexcept {
    rusage used{};
    if (os::sys().getrusage(who, used) < 0) return std::nullopt;
    return nanoseconds_of(used.ru_utime) + nanoseconds_of(used.ru_stime);
}

/// Bytes of its address space, and of its memory that is used (proc(5), statm).
std::optional<std::pair<std::uint64_t, std::uint64_t>> memory() noexcept {
    const unique_fd file{os::sys().openat(AT_FDCWD, "/proc/self/statm", O_RDONLY | O_CLOEXEC)};
    std::array<char, 128> text{};
    const auto size =
        file ? os::sys().read(file.get(), std::as_writable_bytes(std::span{text})) : 0;
    if (size <= 0) return std::nullopt;
    const char* const end = text.data() + size;
    std::array<std::uint64_t, 2> pages{};
    const char* at = text.data();
    for (auto& each : pages) {
        while (at != end && *at == ' ') ++at;
        const auto read = std::from_chars(at, end, each);
        if (read.ec != std::errc{}) return std::nullopt;
        at = read.ptr;
    }
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return std::pair{pages[0] * page, pages[1] * page};
}

/// Since Linux 6.2 the size of the directory is their number; before, it is read.
std::optional<std::uint64_t> open_descriptors() noexcept {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    unique_fd directory{os::sys().openat(AT_FDCWD, "/proc/self/fd", flags)};
    if (!directory) return std::nullopt;
    struct stat about{};
    if (os::sys().fstat(directory.get(), about) == 0 && about.st_size > 0) {
        return static_cast<std::uint64_t>(about.st_size) - 1;  // without `directory`
    }
    os::directory_reader reader{std::move(directory)};
    std::uint64_t count = 0;
    for (auto entry = reader.next(); entry && *entry != nullptr; entry = reader.next()) {
        if ((*entry)->d_name[0] != '.') ++count;
    }
    return count == 0 ? count : count - 1;
}

}  // namespace

group process_group(std::int64_t started_ns) {
    group all{.part = "process"};
    const auto add = [&all](std::string_view metric, kind type, unit in,
                            std::optional<std::uint64_t> value, std::string_view help) {
        if (!value) return;
        all.samples.push_back(
            {.name = {}, .value = *value, .type = type, .in = in, .metric = metric, .help = help});
    };
    add("cpu", kind::counter, unit::nanoseconds, cpu_time_of(RUSAGE_SELF),
        "User and system CPU time of this process");
    add("children_cpu", kind::counter, unit::nanoseconds, cpu_time_of(RUSAGE_CHILDREN),
        "The same of its children that have ended");
    if (const auto bytes = memory()) {
        add("virtual_memory", kind::gauge, unit::bytes, bytes->first, "Size of its address space");
        add("resident_memory", kind::gauge, unit::bytes, bytes->second, "Its memory that is used");
    }
    add("open_fds", kind::gauge, unit::none, open_descriptors(), "Open file descriptors");
    rlimit limit{};
    if (os::sys().getrlimit(RLIMIT_NOFILE, limit) == 0) {
        add("max_fds", kind::gauge, unit::none, limit.rlim_cur,
            "File descriptors that may be open at a time");
    }
    add("start_time", kind::gauge, unit::nanoseconds, static_cast<std::uint64_t>(started_ns),
        "When it began, in seconds since 1970");
    return all;
}

}  // namespace sluice::metrics
