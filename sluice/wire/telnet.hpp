// Decodes telnet input: commands (RFC 854) and line ends.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::wire {

/// Separates a telnet's commands and line ends from its text, a byte at a time. A peer is known to
/// be a telnet once it has sent a command, or a CR followed by a NUL; from then on a CR ends a
/// line, together with an LF or NUL right after it. A 0xff before a byte that is not a command
/// shows that the peer is not a telnet: it is text, as are all later ones. UTF-8 has no 0xff.
///
/// Two bytes in size, as every idle connection may hold a decoder.
class telnet_decoder {
 public:
    /// The meaning of a byte.
    enum class part : std::uint8_t {
        text,
        nothing,   ///< part of a command, or the second half of a line end
        line_end,  ///< a CR right before it belongs to it
        iac,       ///< the 0xff before it was text; pass this byte to take() again
    };

    /// `after_return`: the text byte before this one was a CR.
    [[nodiscard]] part take(char byte, bool after_return) noexcept;

    /// Whether take() must see the next byte even if it is neither 0xff nor NUL.
    [[nodiscard]] bool in_use() const noexcept { return known_ || state_ != state::text; }
    /// Whether the peer is known to be a telnet.
    [[nodiscard]] bool known() const noexcept { return known_; }
    /// Marks the peer as a telnet, known by its user's typing; `after_return`: a CR has just ended
    /// a line.
    void assume(bool after_return) noexcept {
        known_ = true;
        returned_ = after_return;
    }
    /// True if the peer has asked for a timing mark (RFC 860) since the last call. A telnet asks
    /// after Ctrl-C and drops all output until timing_mark() arrives.
    [[nodiscard]] bool take_timing_mark() noexcept {
        const bool requested = mark_requested_;
        mark_requested_ = false;
        return requested;
    }
    /// At the end of the stream: true if its last byte was a 0xff that is text. Resets it.
    [[nodiscard]] bool take_last_iac() noexcept;

 private:
    enum class state : std::uint8_t {
        text,
        command,
        option,
        wanted_option,  // of a DO
        parameters,
        end_of_parameters,
    };

    part take_text(char byte, bool after_return) noexcept;
    part take_command(char byte, bool after_return) noexcept;

    state state_ = state::text;
    bool known_ : 1 = false;
    bool returned_ : 1 = false;     // a CR ended a line; an LF or NUL may follow
    bool iac_is_text_ : 1 = false;  // the peer is not a telnet: 0xff is text
    bool mark_requested_ : 1 = false;
};

/// The answer to a telnet that asked for a timing mark: IAC WILL TIMING-MARK.
[[nodiscard]] constexpr std::string_view timing_mark() noexcept {
    return "\xff\xfb\x06";
}

}  // namespace sluice::wire
