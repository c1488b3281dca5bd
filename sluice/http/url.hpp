// Where a file is, as people write it: http://HOST:PORT/PATH or tcp://HOST:PORT.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace sluice::http {

enum class url_scheme : std::uint8_t { http, tcp };

struct url {
    url_scheme scheme = url_scheme::http;
    /// HOST:PORT; where the text had no port, http has 80. Whether it is an address is not checked.
    std::string authority;
    /// Of http: begins with a slash, and is encoded (RFC 3986, section 3.3); without the query.
    std::string path;
    /// Of http: begins with a question mark, or is empty.
    std::string query;

    /// What a request line asks for (RFC 9112, section 3.2.1).
    [[nodiscard]] std::string target() const { return path + query; }
    /// As it would be written again.
    [[nodiscard]] std::string to_string() const;
};

/// Of a path, blanks and what is not ASCII are encoded; all else is as it was written. The error is
/// a sentence without its full stop that says what to write instead; what it repeats of `text` is
/// fit for a terminal.
[[nodiscard]] std::expected<url, std::string> parse_url(std::string_view text);

/// The last name in an encoded path, decoded: empty where the path ends in a slash, or where that
/// name could not be one of a file (`.`, `..`, slashes, NUL, broken encoding).
[[nodiscard]] std::string last_name(std::string_view path);

}  // namespace sluice::http
