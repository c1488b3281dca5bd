// Framing by the plainest means, a byte at a time with a copy of all: what the real one must equal.
#pragma once

#include <cstddef>
#include <string>
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

/// What a peer sends: bytes, and before which of them (or after the last) it pauses, ascending.
struct stream {
    std::string bytes;
    std::vector<std::size_t> pauses = {};
};

/// Reads all of `sent` as `line` or `automatic`; the pauses count for `automatic` alone.
inline transcript plain_parse(framing mode, std::size_t limit, const stream& sent) {
    transcript seen;
    std::string line;
    bool after_slow = false;
    const auto end = [&](bool terminated) {
        if (line.size() > limit) {
            seen.too_long = true;
            return false;
        }
        if (!terminated && mode == framing::automatic) seen.answers_terminated = false;
        if (!(terminated && after_slow && line.empty())) {
            seen.messages.push_back({line, terminated});
        }
        after_slow = !terminated;
        line.clear();
        return true;
    };
    auto pause = sent.pauses.begin();
    for (std::size_t i = 0; i <= sent.bytes.size(); ++i) {
        for (; pause != sent.pauses.end() && *pause == i; ++pause) {
            if (mode == framing::automatic && !line.empty() && !end(false)) return seen;
        }
        if (i == sent.bytes.size()) break;
        line.push_back(sent.bytes[i]);
        if (line.back() != '\n') continue;
        line.pop_back();
        if (line.ends_with('\r')) line.pop_back();
        if (!end(true)) return seen;
    }
    if (!line.empty()) end(false);
    return seen;
}

}  // namespace sluice::wire
