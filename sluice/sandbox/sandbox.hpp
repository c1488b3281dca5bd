// The sandbox of a server: what a process gives up once it listens, before its first client.
//
// Three walls, each of which holds without the others: the process has no capabilities and can get
// none (capabilities.hpp), it reaches the files alone that it serves (landlock.hpp), and it makes
// those system calls alone that a server of its kind makes (system_call_filter.hpp). A user and a
// root directory of its own (user.hpp, root_directory.hpp) come on top where the operator asks.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/sandbox/landlock.hpp"
#include "sluice/sandbox/system_call_filter.hpp"
#include "sluice/sandbox/user.hpp"

namespace sluice::sandbox {

/// Values of --sandbox.
enum class mode : std::uint8_t {
    automatic,  ///< what the kernel gives
    on,         ///< all of it, or no server
    off,        ///< nothing but what is asked for by name: a user, a root directory
};

/// What a server may do once it listens.
struct policy {
    mode how = mode::automatic;
    std::optional<user> as = {};     ///< the user it becomes; none: it stays who it is
    std::uint64_t capabilities = 0;  ///< those that it keeps
    landlock_rules reachable = {};
    server_needs needs = {};
    /// Runs programs of the operator. The threads that start them are under confine_programs(), and
    /// the others under the filter of a server. Processes of the fork model start such a thread
    /// each: the server is under the filter of programs then, and they call confine_session().
    bool runs_programs = false;
    /// What those threads and their programs may reach. Threads that serve are under `reachable`.
    landlock_rules reachable_by_programs = {};
};

/// What came of it.
struct outcome {
    std::vector<std::string> held;     ///< walls that stand, as phrases: "no capabilities"
    std::vector<std::string> missing;  ///< those that do not, with why; empty if all stand
};

/// Confines the calling thread, and what it starts from now on; the process has no other thread
/// that matters. In between, once nothing but what every program may do is forbidden, it calls
/// `start_programs`, whose threads may start programs, and change their user if the caller is root.
/// The error is a sentence without its full stop: what the policy asks for cannot be had.
[[nodiscard]] std::expected<outcome, std::string> confine(
    const policy& p, const std::function<void()>& start_programs = {});

/// Once the shards of a server have their rings: all threads make no new one, if the policy let
/// them up to now. Not where it runs programs: the thread that starts them has another filter.
void forbid_new_rings(const policy& p) noexcept;

/// The opcodes of io_uring that servers use: none that opens, connects, renames or removes.
[[nodiscard]] std::span<const std::uint8_t> ring_operations() noexcept;

/// Puts the calling thread of a process of the fork model under `reachable` and the filter of a
/// server, once it has started the thread that starts its programs.
void confine_session(const policy& p) noexcept;

/// Confines a thread that starts programs of the operator, and them with it: makes it `as`, drops
/// all capabilities, and refuses what programs of no kind need (unless `how` is off). The error is
/// a sentence without its full stop.
[[nodiscard]] std::expected<void, std::string> confine_programs(mode how,
                                                                const std::optional<user>& as);

}  // namespace sluice::sandbox
