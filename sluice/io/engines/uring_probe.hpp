// Probe of io_uring: tries its features on this machine, and explains a refusal.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "sluice/base/result.hpp"

namespace sluice::io {

/// Result of a probe. Every feature was tried or asked of the kernel, none was inferred from a
/// version number.
struct uring_support {
    /// True if sluice's io_uring engine can run: every feature that uring_features() marks as
    /// needed is there.
    bool usable = false;
    /// If it is not usable: the cause, as a sentence without its full stop. Else empty.
    std::string why_not;
    /// If it is not usable: the remedy, as a sentence without its full stop. Else empty.
    std::string remedy;
    /// The kernel's error, if it refused io_uring as a whole.
    std::optional<error> refusal;

    bool ext_arg = false;
    bool no_drop = false;
    bool single_issuer = false;
    bool defer_taskrun = false;
    bool multishot_accept = false;
    bool multishot_recv = false;
    bool provided_buffer_ring = false;
    bool async_cancel = false;
    bool cancel_fd = false;
    bool multishot_poll = false;
    bool send_zc = false;
    bool sendmsg_zc = false;
    bool msg_ring = false;
    bool register_ring_fd = false;
    bool splice = false;
};

/// A feature: its name, its field in uring_support, and its use.
struct uring_feature {
    const char* name;
    bool uring_support::* found;
    bool needed;        ///< sluice's io_uring engine does not run without it
    const char* since;  ///< the Linux version that brought it
    const char* gives;  ///< its use in sluice, in a few words
};

/// All features, the needed ones first.
[[nodiscard]] std::span<const uring_feature> uring_features() noexcept;

/// Settings around a process that decide whether it may use io_uring. Empty: could not be read.
struct uring_surroundings {
    std::string kernel;              ///< uname(2)'s release
    std::optional<int> disabled;     ///< the sysctl kernel.io_uring_disabled, since Linux 6.6
    std::optional<int> seccomp;      ///< "Seccomp" of /proc/self/status; 2 is a filter
    std::optional<bool> privileged;  ///< CAP_SYS_ADMIN is in effect
    std::optional<std::uint64_t> locked_memory;  ///< RLIMIT_MEMLOCK in bytes; empty: no limit
};

[[nodiscard]] uring_surroundings read_uring_surroundings();

/// Sets `why_not`, `remedy` and `usable` from the features that were found and from `refusal`.
/// Pure, so that every cause can be tested on a machine that has none of them.
void judge(uring_support& found, const uring_surroundings& around);

/// Sets up a small ring on the calling thread, tries each feature on it and tears it down: about a
/// millisecond, no descriptor left behind. Never fails; the failure is in the result. Any thread.
/// Sources: io_uring_setup(2), io_uring_enter(2), io_uring_register(2).
[[nodiscard]] uring_support probe_uring();

}  // namespace sluice::io
