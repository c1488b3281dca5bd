// What a client says to be known, and its form in a line.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::auth {

/// A name and a password, or a token. Wiped when it dies.
struct credentials {
    std::string name = {};  ///< empty: the secret is a token
    std::string secret = {};

    credentials() = default;
    credentials(std::string n, std::string s) noexcept;
    credentials(credentials&& other) noexcept;
    credentials& operator=(credentials&& other) noexcept;
    credentials(const credentials&) = default;
    credentials& operator=(const credentials&) = default;
    ~credentials();

    [[nodiscard]] bool is_token() const noexcept { return name.empty(); }
};

/// In bytes, without its end.
inline constexpr std::size_t longest_login_line = 4200;

/// Reads `login NAME PASSWORD` or `login TOKEN`, without the line's end; a slash may come first. A
/// password may hold blanks. None for other text, or with a control character.
[[nodiscard]] std::optional<credentials> read_login(std::string_view line);
/// As read_login() reads it, with a newline.
[[nodiscard]] std::string login_line(const credentials& given);

}  // namespace sluice::auth
