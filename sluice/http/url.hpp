// Parses the URL of a file: http://HOST:PORT/PATH or tcp://HOST:PORT, or over TLS https:// or
// tls://.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace sluice::http {

/// What is spoken, over TLS or not.
enum class url_scheme : std::uint8_t { http, tcp };

struct url {
    url_scheme scheme = url_scheme::http;
    bool over_tls = false;  ///< https or tls
    /// HOST:PORT; port 80 or 443 where the text of an http or https URL has none. Not checked to be
    /// an address.
    std::string authority;
    /// For http: begins with a slash, encoded (RFC 3986, section 3.3), without the query.
    std::string path;
    /// For http: begins with a question mark, or is empty.
    std::string query;

    /// The target for a request line (RFC 9112, section 3.2.1).
    [[nodiscard]] std::string target() const { return path + query; }
    /// The URL as text.
    [[nodiscard]] std::string to_string() const;
};

/// Encodes bytes that the path and the query may not hold: blanks, controls, `"<>\^{|}` and the
/// backquote, and all beyond ASCII. The error is a sentence without its full stop that says what to
/// write instead; its parts of `text` are safe on a terminal.
[[nodiscard]] std::expected<url, std::string> parse_url(std::string_view text);

/// The last name in an encoded path, decoded: empty if the path ends in a slash, or if that name
/// cannot be a file's (`.`, `..`, slashes, NUL, broken encoding).
[[nodiscard]] std::string last_name(std::string_view path);

}  // namespace sluice::http
