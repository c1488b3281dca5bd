// Marks of rare paths, so that tests can say that they have gone down each of them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice {

/// A path of a service that is seldom taken, and that a simulation must have taken.
enum class rare_path : std::uint8_t {
    none,
    talk_broken_stream,
    talk_idle,
    files_resumed,
    files_part_cut,
    files_part_locked,
    files_condition_lost,
    files_full,
    files_replaced,
    files_leftover_removed,
    files_crowded_out,
    files_expired,
    files_sync_failed,
    files_pipe_shared,
    files_name_locked,
};

/// Their names in reports, in the order of `rare_path`.
inline constexpr auto rare_path_names = std::to_array<std::string_view>({
    "none",
    "talk/broken_stream",
    "talk/idle",
    "files/resumed",
    "files/part_cut",
    "files/part_locked",
    "files/condition_lost",
    "files/full",
    "files/replaced",
    "files/leftover_removed",
    "files/crowded_out",
    "files/expired",
    "files/sync_failed",
    "files/pipe_shared",
    "files/name_locked",
});

/// How often each was taken; by all threads.
using rare_path_counts = std::array<std::atomic<std::uint64_t>, rare_path_names.size()>;

namespace detail {
inline constinit rare_path_counts* counted_paths = nullptr;
}  // namespace detail

/// Counts into `counts` from now on, which outlives all that is counted. While the process has one
/// thread.
inline void count_rare_paths(rare_path_counts& counts) noexcept {
    detail::counted_paths = &counts;
}

/// Counts one more time for `path` if `condition` holds and a test counts. Nothing in builds
/// without tests.
constexpr void sometimes(rare_path path, bool condition = true) noexcept {
#ifdef SLUICE_TEST_BUILD
    if !consteval {
        if (condition && detail::counted_paths != nullptr) {
            (*detail::counted_paths)[static_cast<std::size_t>(path)].fetch_add(
                1, std::memory_order_relaxed);
        }
    }
#endif
    static_cast<void>(path);
    static_cast<void>(condition);
}

}  // namespace sluice
