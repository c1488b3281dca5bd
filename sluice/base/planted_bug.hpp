// Bugs that a test plants in the services, to see that the simulator finds them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice {

/// Where a service does wrong on purpose. One at a time, and only in builds with tests.
enum class bug : std::uint8_t {
    none,
    chat_copy_never_ends,
    chat_cursor_off_by_one,
    chat_half_line,
    chat_leave_untold,
    chat_lookalike_allowed,
    chat_lost_wakeup,
    chat_missed_too_few,
    chat_own_lines_come_back,
    chat_uring_overflow_dropped,
    chat_uring_wakeup_not_watched,
    chat_whisper_to_another,
    compute_answer_of_another,
    compute_answer_twice,
    compute_deadline_lost,
    compute_half_close_is_gone,
    compute_program_asked_at_once,
    compute_program_asked_twice,
    compute_program_outlives_stop,
    compute_program_place_lost,
    compute_reset_on_refusal,
    compute_slot_lost,
    compute_timer_survives,
    compute_uring_wrong_data,
    compute_wakeup_lost,
    files_acknowledged_before_sync,
    files_claim_lost,
    files_condition_not_rechecked,
    files_digest_not_compared,
    files_half_body_kept,
    files_name_not_synced,
    files_quota_twice,
    talk_closed_twice,
    talk_lost_wakeup,
    talk_short_send,
    talk_uring_stream_not_repeated,
};

/// Their names on a command line, in the order of `bug`.
inline constexpr auto bug_names = std::to_array<std::string_view>({
    "none",
    "chat/copy_never_ends",
    "chat/cursor_off_by_one",
    "chat/half_line",
    "chat/leave_untold",
    "chat/lookalike_allowed",
    "chat/lost_wakeup",
    "chat/missed_too_few",
    "chat/own_lines_come_back",
    "chat/uring_overflow_dropped",
    "chat/uring_wakeup_not_watched",
    "chat/whisper_to_another",
    "compute/answer_of_another",
    "compute/answer_twice",
    "compute/deadline_lost",
    "compute/half_close_is_gone",
    "compute/program_asked_at_once",
    "compute/program_asked_twice",
    "compute/program_outlives_stop",
    "compute/program_place_lost",
    "compute/reset_on_refusal",
    "compute/slot_lost",
    "compute/timer_survives",
    "compute/uring_wrong_data",
    "compute/wakeup_lost",
    "files/acknowledged_before_sync",
    "files/claim_lost",
    "files/condition_not_rechecked",
    "files/digest_not_compared",
    "files/half_body_kept",
    "files/name_not_synced",
    "files/quota_twice",
    "talk/closed_twice",
    "talk/lost_wakeup",
    "talk/short_send",
    "talk/uring_stream_not_repeated",
});

namespace detail {
inline constinit bug planted = bug::none;
}  // namespace detail

/// Plants `b`, which takes the place of the one before. While the process has one thread.
inline void plant(bug b) noexcept {
    detail::planted = b;
}

/// True if `b` is planted: the caller then does wrong. False in builds without tests, at no cost.
#ifdef SLUICE_TEST_BUILD
[[nodiscard]] inline bool planted(bug b) noexcept {
    return detail::planted == b;
}
#else
[[nodiscard]] constexpr bool planted(bug /*b*/) noexcept {
    return false;
}
#endif

}  // namespace sluice
