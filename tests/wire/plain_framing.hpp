// Framing by the plainest means, a byte at a time with a copy of all: what the real one must equal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/wire/framing.hpp"

namespace sluice::wire {

struct owned_message {
    std::string text;
    bool terminated;

    friend bool operator==(const owned_message&, const owned_message&) = default;
};

/// All that a reader made of a stream.
struct transcript {
    std::vector<owned_message> messages;
    bool too_long = false;  // and so no more messages
    bool answers_terminated = true;

    friend bool operator==(const transcript&, const transcript&) = default;
};

/// What a peer sends: bytes, and before which of them (or after the last) a pause ends, ascending;
/// twice where it goes on for as long as that is waited for.
struct stream {
    std::string bytes;
    std::vector<std::size_t> pauses = {};
};

/// Reads `line` or `automatic`; the pauses count for `automatic` alone.
class plain_reader {
 public:
    plain_reader(framing mode, std::size_t limit, sender from)
        : limit_{limit}, from_{from}, lines_{mode == framing::line} {}

    void take(char byte) {
        if (seen.too_long) return;
        if (from_ == sender::program) return take_text(byte);
        if (command_.empty() && (byte != '\xff' || marks_are_text_)) return take_text(byte);
        command_.push_back(byte);
        go_on_with_command();
    }

    void pause() {
        if (seen.too_long || lines_ || line_.empty()) return;
        if (from_ == sender::person && in_a_row_ < 3 && waits(std::exchange(fresh_, {}))) return;
        end(false);
    }

    void finish() {
        if (seen.too_long) return;
        if (command_ == "\xff" && !telnet_) line_.push_back('\xff');
        if (!line_.empty()) end(false);
    }

    transcript seen;

 private:
    enum class wait : std::uint8_t { none, for_half_a_character, for_keys };

    // What a character of so many bytes may begin with (RFC 3629).
    static constexpr std::pair<std::uint8_t, std::uint8_t> firsts[] = {
        {}, {0, 0x7f}, {0xc2, 0xdf}, {0xe0, 0xef}, {0xf0, 0xf4}};

    static std::uint8_t value(char c) { return static_cast<std::uint8_t>(c); }

    void go_on_with_command() {
        if (command_.size() < 2) return;
        const char second = command_[1];
        if (second == '\xff') {
            command_.clear();
            return take_text('\xff');
        }
        if (value(second) < 236) {
            command_.clear();
            if (!telnet_) {
                marks_are_text_ = true;
                take_text('\xff');
            }
            return take_text(second);
        }
        telnet_ = true;
        learn_lines();
        if (value(second) == 250) return go_on_with_parameters();
        const char third = command_.size() == 3 ? command_[2] : '\0';
        if (value(second) < 250 || command_.size() == 3) command_.clear();
        if (third == '\n' || third == '\r') take_text(third);
    }

    void go_on_with_parameters() {
        for (std::size_t i = 2; i + 1 < command_.size(); ++i) {
            if (command_[i] != '\xff') continue;
            if (command_[i + 1] == '\xff') {
                ++i;
                continue;
            }
            command_.erase(0, i);
            return go_on_with_command();
        }
    }

    void take_text(char byte) {
        if (seen.too_long) return;
        const bool skips = std::exchange(returned_, false) && (byte == '\n' || byte == '\0');
        if (skips) return;
        const bool ends_telnets_line =
            from_ != sender::program && byte == '\0' && line_.ends_with('\r');
        if (ends_telnets_line) {
            telnet_ = true;
            learn_lines();
        }
        returned_ = telnet_ && byte == '\r';
        if (byte == '\n' || ends_telnets_line || returned_) {
            if (line_.ends_with('\r')) line_.pop_back();
            end(true);
            return;
        }
        line_.push_back(byte);
        fresh_.push_back(byte);
        if (line_.size() - (byte == '\r' ? 1 : 0) > limit_) seen.too_long = true;
    }

    void end(bool terminated) {
        if (line_.size() > limit_) {
            seen.too_long = true;
            return;
        }
        if (terminated) {
            learn_lines();
        } else if (!lines_) {
            ++in_a_row_;
            seen.answers_terminated = false;
        }
        if (!(terminated && after_slow_ && line_.empty())) {
            seen.messages.push_back({line_, terminated});
        }
        after_slow_ = !terminated;
        line_.clear();
        fresh_.clear();
        wait_ = wait::none;
    }

    void learn_lines() {
        lines_ = true;
        seen.answers_terminated = true;
    }

    /// Whether a first byte of a character of two to four bytes lacks one at least.
    static bool ends_within_character(std::string_view text) {
        for (std::size_t length = 2; length <= 4; ++length) {
            const auto [low, high] = firsts[length];
            for (std::size_t has = 1; has < length && has <= text.size(); ++has) {
                const auto tail = text.substr(text.size() - has);
                bool fits = low <= value(tail[0]) && value(tail[0]) <= high;
                for (const char c : tail.substr(1)) fits = fits && (value(c) & 0xc0U) == 0x80;
                if (fits) return true;
            }
        }
        return false;
    }

    static std::size_t characters(std::string_view text) {
        std::size_t begun = text.empty() ? 0 : 1;
        for (std::size_t i = 1; i < text.size(); ++i) {
            if ((value(text[i]) & 0xc0U) != 0x80) ++begun;
        }
        return begun;
    }

    bool waits(const std::string& since) {
        switch (wait_) {
            case wait::none:
                if (characters(since) == 1) wait_ = wait::for_keys;
                if (ends_within_character(line_)) wait_ = wait::for_half_a_character;
                return wait_ != wait::none;
            case wait::for_half_a_character: return !since.empty() && ends_within_character(line_);
            case wait::for_keys: break;
        }
        if (since.empty()) return false;
        const bool entered = line_.ends_with('\r');
        if (characters(since) > 1 && !entered) return true;
        telnet_ = true;
        learn_lines();
        returned_ = entered;
        if (entered) {
            line_.pop_back();
            end(true);
        }
        return true;
    }

    std::size_t limit_;
    sender from_;
    bool lines_;
    std::string line_;
    std::string fresh_;    // since the last pause
    std::string command_;  // of a telnet, as far as it has come
    bool telnet_ = false;
    bool marks_are_text_ = false;
    bool returned_ = false;
    bool after_slow_ = false;
    int in_a_row_ = 0;
    wait wait_ = wait::none;
};

inline transcript plain_parse(framing mode, std::size_t limit, const stream& sent,
                              sender from = sender::program) {
    plain_reader reader{mode, limit, from};
    auto pause = sent.pauses.begin();
    for (std::size_t i = 0; i <= sent.bytes.size(); ++i) {
        for (; pause != sent.pauses.end() && *pause == i; ++pause) reader.pause();
        if (i < sent.bytes.size()) reader.take(sent.bytes[i]);
    }
    reader.finish();
    return reader.seen;
}

}  // namespace sluice::wire
