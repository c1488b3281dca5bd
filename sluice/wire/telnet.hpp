// Telnet on the way in: which bytes are commands (RFC 854), and which return ends a line.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::wire {

/// Tells a telnet's commands and line ends from its text, a byte at a time. A peer is known to be a
/// telnet by its first command or by a return followed by a NUL, and from then on a return ends a
/// line, with the newline or NUL behind it if there is one. An 0xff before a byte that is no
/// command shows that the peer speaks no telnet: it is text, as is every later one. UTF-8 has no
/// 0xff.
///
/// Two bytes, so that an idle connection can hold one.
class telnet_decoder {
 public:
    /// What a byte is.
    enum class part : std::uint8_t {
        text,
        nothing,   ///< of a command, or the second half of a line's end
        line_end,  ///< a return before it, if there is one, belongs to it
        mark,      ///< shows that the 0xff before it was text; the byte has to be taken again
    };

    /// `after_return`: the byte of text before this one was a return.
    [[nodiscard]] part take(char byte, bool after_return) noexcept;

    /// Whether `take` has to see the next byte even if that is neither 0xff nor NUL.
    [[nodiscard]] bool in_use() const noexcept { return known_ || state_ != state::text; }
    /// Whether the peer is known to be a telnet.
    [[nodiscard]] bool known() const noexcept { return known_; }
    /// It is a telnet, by what its user has typed; `after_return`: a return has just ended a line.
    void assume(bool after_return) noexcept {
        known_ = true;
        returned_ = after_return;
    }
    /// True, once, if it has asked for a timing mark (RFC 860) since this was last called, as a
    /// telnet does after Ctrl-C: it drops all output until timing_mark() has come.
    [[nodiscard]] bool take_timing_mark() noexcept {
        const bool owed = owes_mark_;
        owes_mark_ = false;
        return owed;
    }
    /// At the end of the stream: true, once, if its last byte was an 0xff that is text.
    [[nodiscard]] bool take_mark() noexcept;

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
    bool returned_ : 1 = false;        // a return ended a line; what belongs to it may follow
    bool marks_are_text_ : 1 = false;  // 0xff, for this peer speaks no telnet
    bool owes_mark_ : 1 = false;
};

/// The answer to a telnet that asked for a timing mark: IAC WILL TIMING-MARK.
[[nodiscard]] constexpr std::string_view timing_mark() noexcept {
    return "\xff\xfb\x06";
}

}  // namespace sluice::wire
