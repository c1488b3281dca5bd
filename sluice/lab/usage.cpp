// Implements usage: CPU clocks, /proc/PID, and counters of perf_event_open(2).
#include "sluice/lab/usage.hpp"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "sluice/os/kernel.hpp"

namespace sluice::lab {
namespace {

/// CPU time of all threads of a process, in seconds; 0 once it has ended.
double cpu_of(pid_t process) noexcept {
    const auto spent = os::sys().process_cpu_ns(process);
    return spent < 0 ? 0 : static_cast<double>(spent) * 1e-9;
}

std::string proc_folder(pid_t process) {
    return "/proc/" + std::to_string(process);
}

/// CPU time of its reaped children: fields 16 and 17 of /proc/PID/stat, in ticks.
double cpu_of_reaped_children(pid_t process) {
    std::ifstream file{proc_folder(process) + "/stat"};
    std::string all{std::istreambuf_iterator<char>{file}, {}};
    const auto name_end = all.rfind(')');
    if (name_end == std::string::npos) return 0;
    std::istringstream words{all.substr(name_end + 1)};
    std::string skipped;
    constexpr int before = 13;
    for (int i = 0; i < before; ++i) words >> skipped;
    double user = 0;
    double system = 0;
    words >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::vector<pid_t> children_of(pid_t process) {
    const auto id = std::to_string(process);
    std::ifstream file{"/proc/" + id + "/task/" + id + "/children"};
    std::vector<pid_t> found;
    for (pid_t each = 0; file >> each;) found.push_back(each);
    return found;
}

double waited_by(pid_t process) {
    std::ifstream file{proc_folder(process) + "/schedstat"};
    double ran = 0;
    double waited = 0;
    file >> ran >> waited;
    return waited * 1e-9;
}

std::optional<double> read_counter(int fd) noexcept {
    std::uint64_t value = 0;
    if (fd < 0) return std::nullopt;
    const auto got = os::sys().read(fd, std::as_writable_bytes(std::span{&value, 1}));
    if (got != sizeof value) return std::nullopt;
    return static_cast<double>(value);
}

/// Context switches of the live threads; the counts of exited threads are lost.
std::optional<double> switches_of_threads(pid_t process) {
    double sum = 0;
    std::error_code ec;
    const std::filesystem::directory_iterator threads{proc_folder(process) + "/task", ec};
    if (ec) return std::nullopt;
    for (const auto& each : threads) {
        std::ifstream file{each.path() / "status"};
        for (std::string line; std::getline(file, line);) {
            const std::string_view text{line};
            if (!text.contains("_ctxt_switches:")) continue;
            sum += std::strtod(line.c_str() + line.find(':') + 1, nullptr);
        }
    }
    return sum;
}

unique_fd open_counter(pid_t process, std::uint32_t type, std::uint64_t config) noexcept {
    perf_event_attr attributes{};
    attributes.size = sizeof attributes;
    attributes.type = type;
    attributes.config = config;
    attributes.inherit = 1;
    // Not through os::kernel: a counter of the hardware is of no use but on the machine itself.
    const long fd = ::syscall(SYS_perf_event_open, &attributes, process, -1, -1,
                              static_cast<unsigned long>(PERF_FLAG_FD_CLOEXEC));
    return unique_fd{static_cast<int>(fd)};
}

std::optional<double> increase(std::optional<double> later, std::optional<double> earlier) {
    if (!later || !earlier) return std::nullopt;
    return *later - *earlier;
}

}  // namespace

usage operator-(const usage& later, const usage& earlier) {
    return {.cpu = later.cpu - earlier.cpu,
            .waited = later.waited - earlier.waited,
            .switches = increase(later.switches, earlier.switches),
            .calls = increase(later.calls, earlier.calls)};
}

usage used_by(const watched& w) {
    usage sum;
    if (w.process <= 0) return sum;
    sum.cpu = cpu_of(w.process) + cpu_of_reaped_children(w.process);
    const auto children = children_of(w.process);
    for (const pid_t child : children) sum.cpu += cpu_of(child);
    sum.waited = waited_by(w.process);
    sum.calls = read_counter(w.calls);
    sum.switches = w.switches >= 0 ? read_counter(w.switches) : switches_of_threads(w.process);
    return sum;
}

usage used_by_us() {
    usage sum;
    rusage used{};
    os::kernel& sys = os::sys();
    sys.getrusage(RUSAGE_SELF, used);
    sum.cpu = cpu_of(sys.getpid());
    sum.waited = waited_by(sys.getpid());
    sum.switches = static_cast<double>(used.ru_nvcsw + used.ru_nivcsw);
    return sum;
}

unique_fd count_switches(pid_t process) noexcept {
    return open_counter(process, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES);
}

unique_fd count_calls(pid_t process) noexcept {
    constexpr std::array roots{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
    for (const auto* root : roots) {
        std::ifstream file{std::string{root} + "/events/raw_syscalls/sys_enter/id"};
        std::uint64_t id = 0;
        if (file >> id) return open_counter(process, PERF_TYPE_TRACEPOINT, id);
    }
    return {};
}

}  // namespace sluice::lab
