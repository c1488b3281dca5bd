// Implements the lookup of this process's cgroups and their CPU quota.
#include "sluice/os/cgroup.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <limits>
#include <span>
#include <sstream>

#include "sluice/base/bytes.hpp"
#include "sluice/base/parse_number.hpp"
#include "sluice/os/fd.hpp"

namespace sluice {

std::optional<std::string> read_small_file(const std::filesystem::path& path) {
    const unique_fd file{os::sys().openat(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file) return std::nullopt;
    std::string text;
    std::array<std::byte, 4096> part{};
    for (;;) {
        const auto n = os::sys().read(file.get(), part);
        if (n == -EINTR) continue;
        if (n < 0) return std::nullopt;
        if (n == 0) return text;
        text += as_text(std::span{part}.first(static_cast<std::size_t>(n)));
    }
}

std::vector<std::string> words_in(std::string_view text) {
    std::istringstream stream{std::string{text}};
    return {std::istream_iterator<std::string>{stream}, {}};
}

std::vector<std::filesystem::path> cgroups_of(const text_reader& read,
                                              std::string_view controller) {
    const auto has_controller = [&](std::string_view list) {
        return fmt::format(",{},", list).contains(fmt::format(",{},", controller));
    };
    std::optional<std::string> path;
    bool second_version = false;
    std::istringstream own{read("/proc/self/cgroup").value_or("")};
    for (std::string line; std::getline(own, line);) {
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const auto controllers = line.substr(first + 1, second - first - 1);
        if (has_controller(controllers)) {
            path = line.substr(second + 1);
            second_version = false;
            break;
        }
        if (controllers.empty()) {
            path = line.substr(second + 1);
            second_version = true;
        }
    }
    if (!path) return {};

    std::istringstream mounts{read("/proc/self/mountinfo").value_or("")};
    for (std::string line; std::getline(mounts, line);) {
        const auto words = words_in(line);
        const auto dash = std::ranges::find(words, "-");
        if (words.size() < 5 || std::distance(dash, words.end()) < 4) continue;
        const bool fits =
            second_version ? dash[1] == "cgroup2" : dash[1] == "cgroup" && has_controller(dash[3]);
        if (!fits) continue;
        // In a container the mount may show only the subtree below `mount_root`.
        const auto& mount_root = words[3];
        const std::filesystem::path mount_point{words[4]};
        std::string_view below{*path};
        if (mount_root != "/") {
            if (below.starts_with(mount_root)) {
                below.remove_prefix(mount_root.size());
            } else {
                below = "";
            }
        }
        while (below.starts_with('/')) below.remove_prefix(1);
        std::vector<std::filesystem::path> found;
        for (std::filesystem::path each{below}; !each.empty(); each = each.parent_path()) {
            found.push_back(mount_point / each);
        }
        found.push_back(mount_point);
        return found;
    }
    return {};
}

double cpu_quota(const text_reader& read) {
    double least = std::numeric_limits<double>::infinity();
    for (const auto& directory : cgroups_of(read, "cpu")) {
        auto words = words_in(read(directory / "cpu.max").value_or(""));
        if (words.empty()) {
            words = words_in(read(directory / "cpu.cfs_quota_us").value_or("") + ' ' +
                             read(directory / "cpu.cfs_period_us").value_or(""));
        }
        // "max" (version 2) and "-1" (version 1) mean no limit.
        const auto time = words.size() < 2 ? std::nullopt : parse_number(words[0]);
        const auto period = words.size() < 2 ? std::nullopt : parse_number(words[1]);
        if (time && period.value_or(0) > 0) {
            least = std::min(least, static_cast<double>(*time) / static_cast<double>(*period));
        }
    }
    return least;
}

}  // namespace sluice
