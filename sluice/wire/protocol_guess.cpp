// Implements protocol_guess: a state machine over the first line of a connection.
#include "sluice/wire/protocol_guess.hpp"

#include <array>
#include <cstddef>

namespace sluice::wire {
namespace {

// Those that browsers, curl and HTTP/2 begin with. A browser asks by OPTIONS before it uses another
// one (Fetch, section 4.8).
constexpr auto methods =
    std::to_array<std::string_view>({"GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ",
                                     "PATCH ", "TRACE ", "CONNECT ", "PRI "});
// Zeros stand for digits.
constexpr std::string_view version = "HTTP/0.0";
// The type of the record, and the first byte of its version.
constexpr std::string_view handshake = "\x16\x03";
constexpr char newest_record = 4;

// Bytes. No message has a longer word behind a method.
constexpr std::uint16_t longest_target = 1024;

constexpr bool is_digit(char byte) noexcept {
    return byte >= '0' && byte <= '9';
}

}  // namespace

static_assert(sizeof(protocol_guess) == 4);

void protocol_guess::feed(std::string_view bytes) noexcept {
    for (const char byte : bytes) {
        if (state_ >= state::http) return;
        const state next = take(byte);
        length_ = next == state_ ? static_cast<std::uint16_t>(length_ + 1) : std::uint16_t{0};
        state_ = next;
    }
}

other_protocol protocol_guess::found() const noexcept {
    if (state_ == state::http) return other_protocol::http;
    return state_ == state::tls ? other_protocol::tls : other_protocol::none;
}

protocol_guess::state protocol_guess::take(char byte) noexcept {
    switch (state_) {
        case state::method:
            return length_ == 0 && byte == handshake[0] ? state::record : take_method(byte);
        case state::record:
            if (length_ == 0) return byte == handshake[1] ? state::record : state::none;
            return byte >= 0 && byte <= newest_record ? state::tls : state::none;
        case state::target: return take_target(byte);
        case state::version: {
            const char wanted = version[length_];
            if (wanted == '0' ? !is_digit(byte) : byte != wanted) return state::none;
            return length_ + 1U == version.size() ? state::line_end : state::version;
        }
        case state::line_end:
            if (byte == '\n') return state::http;
            return byte == '\r' && length_ == 0 ? state::line_end : state::none;
        case state::http:
        case state::tls:
        case state::none: break;
    }
    return state_;
}

protocol_guess::state protocol_guess::take_method(char byte) noexcept {
    const auto so_far = methods[method_].substr(0, length_);
    for (; std::size_t{method_} < methods.size(); ++method_) {
        const auto each = methods[method_];
        if (!each.starts_with(so_far) || each[length_] != byte) continue;
        return length_ + 1U == each.size() ? state::target : state::method;
    }
    return state::none;
}

protocol_guess::state protocol_guess::take_target(char byte) noexcept {
    if (byte == ' ') return length_ == 0 ? state::none : state::version;
    // A control character, or the end of the line.
    if (byte >= 0 && byte < ' ') return state::none;
    return length_ + 1U >= longest_target ? state::http : state::target;
}

}  // namespace sluice::wire
