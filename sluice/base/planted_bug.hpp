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
    talk_closed_twice,
    talk_lost_wakeup,
    talk_short_send,
    files_acknowledged_before_sync,
    files_name_not_synced,
    files_condition_not_rechecked,
    files_digest_not_compared,
    files_quota_twice,
    files_claim_lost,
    files_half_body_kept,
};

/// Their names on a command line, in the order of `bug`.
inline constexpr auto bug_names = std::to_array<std::string_view>({
    "none",
    "talk/closed_twice",
    "talk/lost_wakeup",
    "talk/short_send",
    "files/acknowledged_before_sync",
    "files/name_not_synced",
    "files/condition_not_rechecked",
    "files/digest_not_compared",
    "files/quota_twice",
    "files/claim_lost",
    "files/half_body_kept",
});

namespace detail {
inline constinit bug planted = bug::none;
}  // namespace detail

/// Plants `b`, which takes the place of the one before. While the process has one thread.
inline void plant(bug b) noexcept {
    detail::planted = b;
}

/// True if `b` is planted: the caller then does wrong. False in builds without tests, at no cost.
[[nodiscard]] constexpr bool planted(bug b) noexcept {
#ifdef SLUICE_TEST_BUILD
    if !consteval {
        return detail::planted == b;
    }
#endif
    static_cast<void>(b);
    return false;
}

}  // namespace sluice
