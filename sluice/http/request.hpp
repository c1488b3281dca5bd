// Parses the head of an HTTP request: fields, target, and framing of the body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::http {

enum class http_method : std::uint8_t { get, head, put, remove, options, other, unknown };

/// Fields that the server reads. The parser drops all others.
enum class http_field : std::uint8_t {
    accept,
    authorization,
    connection,
    content_digest,
    content_encoding,
    content_length,
    content_range,
    content_type,
    expect,
    host,
    if_match,
    if_modified_since,
    if_none_match,
    if_range,
    if_unmodified_since,
    origin,
    range,
    repr_digest,
    sec_fetch_site,
    transfer_encoding,
    want_repr_digest,
    x_forwarded_for,
};

/// Why a request is refused: the status of the answer, and a sentence without its full stop.
struct http_refusal {
    unsigned status = 0;
    std::string_view why;
};

/// A parsed head: views of the parsed bytes. Reused for the next request, it allocates nothing.
struct http_request {
    http_method method = http_method::unknown;
    std::string_view target;        ///< as received: `/a%20b?x`, `http://host/a`, `*`
    bool keeps_alive = false;       ///< the connection may carry another request
    bool is_old = false;            ///< HTTP/1.0: no chunks, no 100 (Continue); later counts as 1.1
    bool expects_go_ahead = false;  ///< Expect: 100-continue
    bool chunked = false;
    std::optional<std::uint64_t> length;  ///< of the body; none if it has none or is chunked
    std::vector<std::pair<http_field, std::string_view>> fields;

    /// Value of the first such field; empty if there is none.
    [[nodiscard]] std::string_view field(http_field which) const noexcept;
    [[nodiscard]] bool has(http_field which) const noexcept;

    /// Empties it and keeps its memory.
    void clear() noexcept;
    /// Call it after the parsed bytes have moved from `from` to `to`.
    void move_views(const char* from, const char* to) noexcept;
};

/// The path and the query of a request's target, still encoded. The path of `*` is `*`. The error
/// is a sentence without its full stop: the target is neither a path nor an http URL, its authority
/// is invalid, or it has a fragment.
struct http_target {
    std::string_view path;
    std::string_view query;
};
[[nodiscard]] std::expected<http_target, std::string_view> split_target(
    std::string_view target) noexcept;
/// The host that a parsed request is for, with its port if it has one: from an absolute target,
/// else from Host (RFC 9112, section 3.2.2); empty where neither says.
[[nodiscard]] std::string_view authority_of(const http_request& request) noexcept;
/// Whether a query (`a=1&b`) has a parameter of that name, with that value if one is given.
[[nodiscard]] bool query_has(std::string_view query, std::string_view name,
                             std::optional<std::string_view> value = {}) noexcept;

/// Value of the first parameter of that name, still encoded; none if there is no such parameter.
[[nodiscard]] std::optional<std::string_view> query_value(std::string_view query,
                                                          std::string_view name) noexcept;

/// Finds the end of a head that arrives in pieces, and refuses at once bytes that no head may have:
/// a line that ends without a CR, a line folded onto the next (RFC 9112, section 5.2), a NUL. The
/// parser gets whole heads only, so any split of the same bytes gives the same result.
class http_head_scanner {
 public:
    struct limits {
        std::size_t line = 8 * 1024;   ///< bytes of the first line, without its end (414)
        std::size_t head = 16 * 1024;  ///< bytes of the whole head (431)
    };

    explicit http_head_scanner(limits l) noexcept : limits_{l} {}

    /// `so_far`: all bytes from the start of the head, those of earlier calls included. Returns the
    /// head's length, or none while more must come. After a refusal the scanner is of no more use.
    [[nodiscard]] std::expected<std::optional<std::size_t>, http_refusal> scan(
        std::string_view so_far) noexcept;
    /// Prepares for the next head.
    void restart() noexcept { *this = http_head_scanner{limits_}; }
    /// Whether it has seen anything but empty lines, which it skips.
    [[nodiscard]] bool begun() const noexcept { return begun_; }

 private:
    limits limits_;
    std::size_t seen_ = 0;        // bytes scanned
    std::size_t line_start_ = 0;  // start of the current line
    bool first_line_ = true;
    bool begun_ = false;
};

/// `head`: as the scanner found it. After a refusal the connection is of no more use: the end of
/// the request is unknown (RFC 9112, section 6.3).
[[nodiscard]] std::expected<void, http_refusal> parse_request(std::string_view head,
                                                              http_request& into);

}  // namespace sluice::http
