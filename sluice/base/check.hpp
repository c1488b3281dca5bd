// Contract checks: abort with a message when the program breaks a precondition.
#pragma once

#include <source_location>

namespace sluice {

/// Prints `what` and `where`, then aborts. A user's or a peer's mistake is a result, never this.
[[noreturn]] void broken_contract(const char* what, std::source_location where) noexcept;

/// Aborts with `what` unless `holds`. Stays on in release builds: it costs a predicted branch.
constexpr void check(bool holds, const char* what,
                     std::source_location where = std::source_location::current()) noexcept {
    if (!holds) [[unlikely]]
        broken_contract(what, where);
}

}  // namespace sluice
