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
    chat_batch_after_its_copy,
    chat_batch_before_history,
    chat_command_waits,
    chat_farewell_after_lines,
    chat_name_asked_again,
    chat_private_dropped,
    chat_rest_of_line,
    chat_silent_hung_up,
    chat_slow_dismissed,
    chat_slow_skipped,
    chat_unsent_to_ended_copy,
    compute_abandoned,
    compute_busy,
    compute_failed,
    compute_half_closed_in_job,
    compute_idle,
    compute_late,
    compute_no_thread,
    compute_program_abandoned,
    compute_program_asked_again,
    compute_program_closed_a_pipe,
    compute_program_ended_unasked,
    compute_program_gave_way,
    compute_program_late,
    compute_program_not_started,
    compute_program_outlived_its_input,
    compute_program_outlived_sigterm,
    compute_program_printed_on,
    compute_program_stopped,
    compute_program_too_long,
    compute_program_too_many_leave,
    compute_program_unread,
    compute_stalled,
    compute_stopped_in_wait,
    compute_too_long,
    files_condition_lost,
    files_crowded_out,
    files_expired,
    files_full,
    files_leftover_removed,
    files_name_locked,
    files_part_cut,
    files_part_locked,
    files_pipe_shared,
    files_replaced,
    files_resumed,
    files_sync_failed,
    talk_broken_stream,
    talk_idle,
    uring_again,
    uring_cancel_unsent,
    uring_ended_early,
    uring_late_notification,
    uring_no_buffer,
    uring_overflow,
    uring_queue_full,
    uring_result_beat_cancel,
    uring_wakeup_watched_again,
};

/// Their names in reports, in the order of `rare_path`.
inline constexpr auto rare_path_names = std::to_array<std::string_view>({
    "none",
    "chat/batch_after_its_copy",
    "chat/batch_before_history",
    "chat/command_waits",
    "chat/farewell_after_lines",
    "chat/name_asked_again",
    "chat/private_dropped",
    "chat/rest_of_line",
    "chat/silent_hung_up",
    "chat/slow_dismissed",
    "chat/slow_skipped",
    "chat/unsent_to_ended_copy",
    "compute/abandoned",
    "compute/busy",
    "compute/failed",
    "compute/half_closed_in_job",
    "compute/idle",
    "compute/late",
    "compute/no_thread",
    "compute/program_abandoned",
    "compute/program_asked_again",
    "compute/program_closed_a_pipe",
    "compute/program_ended_unasked",
    "compute/program_gave_way",
    "compute/program_late",
    "compute/program_not_started",
    "compute/program_outlived_its_input",
    "compute/program_outlived_sigterm",
    "compute/program_printed_on",
    "compute/program_stopped",
    "compute/program_too_long",
    "compute/program_too_many_leave",
    "compute/program_unread",
    "compute/stalled",
    "compute/stopped_in_wait",
    "compute/too_long",
    "files/condition_lost",
    "files/crowded_out",
    "files/expired",
    "files/full",
    "files/leftover_removed",
    "files/name_locked",
    "files/part_cut",
    "files/part_locked",
    "files/pipe_shared",
    "files/replaced",
    "files/resumed",
    "files/sync_failed",
    "talk/broken_stream",
    "talk/idle",
    "uring/again",
    "uring/cancel_unsent",
    "uring/ended_early",
    "uring/late_notification",
    "uring/no_buffer",
    "uring/overflow",
    "uring/queue_full",
    "uring/result_beat_cancel",
    "uring/wakeup_watched_again",
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
#ifdef SLUICE_TEST_BUILD
inline void sometimes(rare_path path, bool condition = true) noexcept {
    if (!condition || detail::counted_paths == nullptr) return;
    (*detail::counted_paths)[static_cast<std::size_t>(path)].fetch_add(1,
                                                                       std::memory_order_relaxed);
}
#else
constexpr void sometimes(rare_path /*path*/, bool /*condition*/ = true) noexcept {}
#endif

}  // namespace sluice
