// Small files that the program reads: the outcome of a load, and what the kernel says of cgroups.
#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/lab/load/outcome.hpp"
#include "sluice/os/cgroup.hpp"

namespace sluice::fuzz::small_files_target {
namespace {

void check_outcome(std::string_view text) {
    const auto read = lab::read_outcome(text);
    if (!read) return;
    const auto written = lab::to_text(*read);
    const auto again = lab::read_outcome(written);
    check(again.has_value(), "an outcome that was written cannot be read");
    check(again->errors == read->errors && again->turns == read->turns, "another outcome");
    check(again->latencies.count() == read->latencies.count(), "other latencies");
}

/// `text` is /proc/self/cgroup, an empty line, /proc/self/mountinfo, an empty line, and each other
/// file.
void check_cgroups(std::string_view text) {
    const auto part = [&text] {
        const auto end = std::min(text.find("\n\n"), text.size());
        const std::string found{text.substr(0, end)};
        text.remove_prefix(std::min(end + 2, text.size()));
        return found;
    };
    const auto own = part();
    const auto mounts = part();
    const std::string rest{text};
    const auto read = [&](const std::filesystem::path& path) -> std::optional<std::string> {
        if (path == "/proc/self/cgroup") return own;
        if (path == "/proc/self/mountinfo") return mounts;
        return rest;
    };
    for (const auto& directory : cgroups_of(read, "cpu")) {
        check(!directory.empty(), "a group without a directory");
    }
    check(cpu_quota(read) >= 0, "less than no time");
}

}  // namespace

void examine(std::string_view text) {
    check_outcome(text);
    check_cgroups(text);
}

}  // namespace sluice::fuzz::small_files_target
