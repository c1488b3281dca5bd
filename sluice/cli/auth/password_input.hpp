// Reads passwords, from a terminal without echo or from the first line of stdin.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace sluice::cli {

/// A new password of the account `name`, from stdin. On a terminal it is asked for twice, without
/// echo; the terminal is restored when a signal ends the program, too. The error is a sentence
/// without its full stop: the password is empty, longer than auth::longest_password, has a control
/// character, which HTTP could not carry (RFC 7617, section 2), or was typed differently the second
/// time. Blocks; main thread. The caller wipes the result.
[[nodiscard]] std::expected<std::string, std::string> read_new_password(std::string_view name);

/// The password of the account `name`, asked for once on the terminal on stdin, in the same way.
[[nodiscard]] std::expected<std::string, std::string> read_password(std::string_view name);

}  // namespace sluice::cli
