// Which system calls a server makes: those of each function of os::kernel, those of the C library,
// and those that no server of ours makes.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::sandbox {

/// Which servers need a system call once they listen.
enum class need : std::uint8_t {
    always,    ///< all
    files,     ///< those that keep files
    epoll,     ///< those with shards on epoll, or without shards
    ring,      ///< those with shards on io_uring
    new_ring,  ///< those of them whose shards have not all begun
    children,  ///< those with processes below them: the fork model, --exec
    fork,      ///< those of the fork model
    startup,   ///< none: what is needed has been done by then
};

/// A function of os::kernel, or a part of the C library.
struct calls_of {
    std::string_view function;
    /// The system calls that it may make, with blanks between them: on some machine, or with some
    /// version of the C library.
    std::string_view calls;
    need who = need::always;
};

/// The functions of os::kernel, each once and in its order.
[[nodiscard]] std::span<const calls_of> calls_of_kernel() noexcept;
/// What the C library calls of its own accord.
[[nodiscard]] std::span<const calls_of> calls_of_library() noexcept;

/// System calls by which an intruder gains something, and which no server of ours makes once it
/// listens, apart from those that its needs allow.
[[nodiscard]] std::string_view dangerous_calls() noexcept;
/// Those of them that a program of --exec is refused: it may open sockets and start programs.
[[nodiscard]] std::string_view calls_refused_to_programs() noexcept;

}  // namespace sluice::sandbox
