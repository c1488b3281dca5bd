// The answer to an HTTP/1.1 request (RFC 9112): its head, and the bytes of its body.
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

/// The head of an answer. Once the body has come, a Repr-Digest in its trailer stands behind the
/// fields of the head.
struct http_response {
    unsigned status = 0;
    std::string reason;
    std::vector<std::pair<std::string, std::string>> fields;
    /// Of the body, if the head tells it.
    std::optional<std::uint64_t> length;
    bool chunked = false;
    /// Another request may follow on this connection.
    bool keep_alive = false;

    /// The value of the last field of that name, in letters of either case.
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept;
};

/// Reads one answer, whatever pieces it comes in. The head stands still until the body is asked
/// for, so that a body of a known length can be taken from the connection by other means.
class http_response_reader {
 public:
    /// The longest head, in bytes.
    static constexpr std::uint32_t head_limit = 64 * 1024;
    /// What is wrong with an answer, as a sentence without its full stop.
    using outcome = std::expected<void, std::string>;

    /// `no_body` for the answer to a HEAD request.
    explicit http_response_reader(bool no_body = false);
    http_response_reader(http_response_reader&&) noexcept;
    http_response_reader& operator=(http_response_reader&&) noexcept;
    http_response_reader(const http_response_reader&) = delete;
    http_response_reader& operator=(const http_response_reader&) = delete;
    ~http_response_reader();

    /// Takes `bytes`, as far as the end of the head. What follows it is kept.
    [[nodiscard]] outcome feed(std::string_view bytes);
    [[nodiscard]] bool has_head() const noexcept;
    [[nodiscard]] const http_response& head() const noexcept;
    /// What came behind what has been read. The reader is of no more use for this body, unless it
    /// is done.
    [[nodiscard]] std::string take_rest();

    /// Once the head is there: takes `bytes` and appends to `body` what they bring of it.
    [[nodiscard]] outcome feed_body(std::string_view bytes, std::string& body);
    /// The stream has ended: that is the end of a body of neither length nor chunks, and a fault
    /// anywhere else.
    [[nodiscard]] outcome finish();
    /// The whole answer, body included, has been read.
    [[nodiscard]] bool done() const noexcept;

 private:
    class parser;
    [[nodiscard]] outcome feed_chunks(std::string& body);

    std::unique_ptr<parser> parser_;
    std::string pending_;
};

}  // namespace sluice::http
