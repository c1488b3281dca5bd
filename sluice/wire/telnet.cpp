// Implements telnet_decoder, a state machine over bytes (RFC 854, 855, 1184).
#include "sluice/wire/telnet.hpp"

#include <utility>

namespace sluice::wire {
namespace {

constexpr std::uint8_t end_of_file = 236;  // EOF, the lowest command byte (RFC 1184)
constexpr std::uint8_t subnegotiation = 250;
constexpr std::uint8_t will = 251;    // WILL, WONT, DO and DONT precede an option
constexpr std::uint8_t demand = 253;  // DO
constexpr std::uint8_t timing_mark_option = 6;
constexpr std::uint8_t interpret_as_command = 255;

}  // namespace

telnet_decoder::part telnet_decoder::take(char byte, bool after_return) noexcept {
    const auto value = static_cast<std::uint8_t>(byte);
    switch (state_) {
        case state::text: return take_text(byte, after_return);
        case state::command: return take_command(byte, after_return);
        case state::wanted_option:
            if (value == timing_mark_option) mark_requested_ = true;
            [[fallthrough]];
        case state::option:
            state_ = state::text;
            // As options (RFC 652, 653) these date from 1974 and no telnet has them: a line end.
            if (byte == '\n' || byte == '\r') return take_text(byte, after_return);
            break;
        case state::parameters:
            if (value == interpret_as_command) state_ = state::end_of_parameters;
            break;
        case state::end_of_parameters:
            // A doubled 0xff is a parameter; any other command ends the parameters, as SE does.
            if (value != interpret_as_command) return take_command(byte, after_return);
            state_ = state::parameters;
            break;
    }
    return part::nothing;
}

telnet_decoder::part telnet_decoder::take_text(char byte, bool after_return) noexcept {
    if (static_cast<std::uint8_t>(byte) == interpret_as_command && !iac_is_text_) {
        state_ = state::command;
        return part::nothing;
    }
    const bool returned = returned_;
    returned_ = false;
    if (returned && (byte == '\n' || byte == '\0')) return part::nothing;
    if (byte == '\0' && after_return) {
        known_ = true;
        return part::line_end;
    }
    if (byte == '\r' && known_) {
        returned_ = true;
        return part::line_end;
    }
    return byte == '\n' ? part::line_end : part::text;
}

telnet_decoder::part telnet_decoder::take_command(char byte, bool after_return) noexcept {
    const auto value = static_cast<std::uint8_t>(byte);
    state_ = state::text;
    if (value == interpret_as_command) {
        returned_ = false;
        return part::text;
    }
    if (value >= end_of_file) {
        known_ = true;
        if (value >= will) state_ = value == demand ? state::wanted_option : state::option;
        if (value == subnegotiation) state_ = state::parameters;
        return part::nothing;
    }
    // The data mark after a 0xff is urgent data and may be missing (RFC 854, "Synch").
    if (known_) return take_text(byte, after_return);
    iac_is_text_ = true;
    return part::iac;
}

bool telnet_decoder::take_last_iac() noexcept {
    return std::exchange(state_, state::text) == state::command && !known_;
}

}  // namespace sluice::wire
