// Recognises a peer that speaks HTTP or TLS where neither is expected, by its first bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::wire {

/// A protocol that a door of lines or streams does not speak.
enum class other_protocol : std::uint8_t {
    none,
    http,  ///< a request line: a method, a target, HTTP/1.1 (RFC 9112, section 3)
    tls,   ///< a handshake record (RFC 8446, section 5.1)
};

/// Reads the first line of a connection, a piece at a time. A web page can have a browser send a
/// request with lines of the page's choice to any port: a server that takes lines or files from
/// strangers must not take these. Four bytes in size, as every idle connection may hold one.
class protocol_guess {
 public:
    /// The next bytes of the connection. Does nothing once all is known.
    void feed(std::string_view bytes) noexcept;
    /// What the peer speaks, as far as its bytes tell: `none` as long as they may be a message.
    [[nodiscard]] other_protocol found() const noexcept;

 private:
    /// What the next byte belongs to, or what was found.
    enum class state : std::uint8_t { method, target, version, line_end, record, http, tls, none };

    [[nodiscard]] state take(char byte) noexcept;
    [[nodiscard]] state take_method(char byte) noexcept;
    [[nodiscard]] state take_target(char byte) noexcept;

    state state_ = state::method;
    std::uint8_t method_ = 0;   // the first one that begins as the peer has begun
    std::uint16_t length_ = 0;  // bytes of the method, target, version or record that have come
};

}  // namespace sluice::wire
