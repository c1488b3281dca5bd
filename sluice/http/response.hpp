// Parses an HTTP/1.1 response (RFC 9112): its head, and the bytes of its body.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::http {

/// The head of a response. Once the body has been read, a Repr-Digest of its trailer follows the
/// fields of the head.
struct http_response {
    unsigned status = 0;
    std::string reason;
    std::vector<std::pair<std::string, std::string>> fields;
    /// Of the body, in bytes, if the head has it.
    std::optional<std::uint64_t> length;
    bool chunked = false;
    /// Another request may follow on this connection.
    bool keep_alive = false;

    /// Value of the last field of that name, in letters of either case.
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept;
};

/// Parses a response from pieces of any size. It stops after the head until the first feed_body(),
/// so that a caller can take a body of known length from the connection by other means.
class http_response_reader {
 public:
    /// The longest head, in bytes.
    static constexpr std::uint32_t head_limit = 64 * 1024;
    /// The error is a sentence without its full stop about the fault in the response.
    using outcome = std::expected<void, std::string>;

    /// `no_body`: for the response to a HEAD request.
    explicit http_response_reader(bool no_body = false);
    http_response_reader(http_response_reader&&) noexcept;
    http_response_reader& operator=(http_response_reader&&) noexcept;
    http_response_reader(const http_response_reader&) = delete;
    http_response_reader& operator=(const http_response_reader&) = delete;
    ~http_response_reader();

    /// Parses `bytes` up to the end of the head, and keeps the rest.
    [[nodiscard]] outcome feed(std::string_view bytes);
    [[nodiscard]] bool has_head() const noexcept;
    [[nodiscard]] const http_response& head() const noexcept;
    /// The bytes after those that were parsed. The reader is of no more use for this body, unless
    /// it is done.
    [[nodiscard]] std::string take_rest();

    /// After the head: parses `bytes` and appends their part of the body to `body`.
    [[nodiscard]] outcome feed_body(std::string_view bytes, std::string& body);
    /// Call it at the end of the stream: the end of a body with neither length nor chunks, and an
    /// error in any other place.
    [[nodiscard]] outcome finish();
    /// Whether the whole response, body included, has been read.
    [[nodiscard]] bool done() const noexcept;

 private:
    class parser;
    [[nodiscard]] outcome feed_chunks(std::string& body);

    std::unique_ptr<parser> parser_;
    std::string pending_;
};

}  // namespace sluice::http
