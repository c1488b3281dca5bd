// Framing under any bytes, split and paused anywhere: equal to the plainest parser, within memory.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/wire/framing.hpp"
#include "tests/wire/plain_framing.hpp"

namespace sluice::fuzz::framing_target {
namespace {

using namespace sluice::wire;
using sluice::check;

/// The input: a byte for the mode, the sender, whether overlong messages are dropped and other
/// protocols refused, one for the limit, one for the number of pieces
/// in the plan, then a byte for each piece (its length, and in the top bits whether a pause
/// follows, and whether that lasts), and the rest is what the peer sends. The plan is repeated
/// until all is sent.
struct script {
    framing mode = framing::line;
    sender from = sender::program;
    overlong beyond = overlong::fails;
    bool refuses_others = false;
    std::size_t limit = 0;
    std::vector<std::size_t> cuts;
    wire::stream sent;
};

script script_of(std::string_view input) {
    const auto take = [&input] { return take_byte(input); };
    constexpr framing modes[] = {framing::automatic, framing::line, framing::raw};
    script out;
    constexpr sender senders[] = {sender::program, sender::client, sender::person};
    const auto which = take();
    out.mode = modes[which % std::size(modes)];
    out.from = senders[which / std::size(modes) % std::size(senders)];
    const auto kind = which / (std::size(modes) * std::size(senders));
    if (kind % 2 == 1) out.beyond = overlong::dropped;
    out.refuses_others = kind / 2 % 2 == 1;
    out.limit = take();
    std::vector<std::uint8_t> plan(take() % 32);
    for (auto& piece : plan) piece = take();
    out.sent.bytes = input;
    if (plan.empty()) return out;

    std::size_t at = 0;
    std::size_t idle = 0;  // pieces since the last byte: a plan of empty pieces must end too
    for (std::size_t i = 0; at <= input.size() && idle < plan.size(); i = (i + 1) % plan.size()) {
        const std::size_t length = plan[i] & 0x3fU;
        idle = length == 0 ? idle + 1 : 0;
        at += length;
        if (at > input.size()) break;
        out.cuts.push_back(at);
        if ((plan[i] & 0x80U) != 0) out.sent.pauses.push_back(at);
        if ((plan[i] & 0xc0U) == 0xc0U) out.sent.pauses.push_back(at);
    }
    return out;
}

/// A reader, and all that it gave.
class listener {
 public:
    explicit listener(const script& s)
        : reader_{s.mode, s.limit, s.from, s.beyond},
          limit_{s.limit},
          drops_{s.beyond == overlong::dropped} {
        if (s.refuses_others) reader_.refuse_other_protocols();
    }

    void feed(std::string_view chunk) {
        // In memory of its own, so that a look beyond its ends or after its time is seen.
        const std::vector<char> leased{chunk.begin(), chunk.end()};
        reader_.feed({leased.data(), leased.size()});
        drain({leased.data(), leased.size()});
    }
    void pause() {
        reader_.end_pause();
        check(reader_.awaited() == pause::none || reader_.held_bytes() > 0, "it waits for nothing");
        drain({});
    }
    void finish() {
        reader_.finish();
        drain({});
    }
    [[nodiscard]] const transcript& seen() const { return seen_; }
    /// Messages beyond the limit that were left out.
    [[nodiscard]] std::size_t dropped() const { return dropped_; }
    /// Another protocol was spoken.
    [[nodiscard]] bool is_foreign() const { return is_foreign_; }

 private:
    void drain(std::string_view chunk) {
        while (true) {
            const auto found = reader_.next();
            seen_.answers_terminated = reader_.answers_terminated();
            check(reader_.held_bytes() <= std::max(2 * (limit_ + 1), stash::small),
                  "the stash outgrew the limit");
            if (!found && drops_ && found.error() == sluice::fault::message_too_long) {
                ++dropped_;
                continue;
            }
            if (!found) {
                is_foreign_ = is_other_protocol(found.error());
                check(is_foreign_ || found.error() == sluice::fault::message_too_long,
                      "an error of another kind");
                check(reader_.held_bytes() == 0, "a failed reader holds memory");
                seen_.too_long = true;
                return;
            }
            check(!seen_.too_long, "a message after the error");
            if (!*found) return;
            const auto& [text, terminated] = **found;
            const bool lies_in_chunk = std::less_equal{}(chunk.data(), text.data()) &&
                                       std::less{}(text.data(), chunk.data() + chunk.size());
            check(lies_in_chunk || text.empty() || reader_.held_bytes() >= text.size(),
                  "the text lies nowhere");
            seen_.messages.push_back({std::string{text}, terminated});
        }
    }

    frame_reader reader_;
    std::size_t limit_;
    bool drops_;
    std::size_t dropped_ = 0;
    bool is_foreign_ = false;
    transcript seen_;
};

/// Chunks end at the pauses, and with `split` also at the cuts.
listener parse(const script& s, bool split) {
    listener one{s};
    const std::string_view bytes = s.sent.bytes;
    std::size_t from = 0;
    auto pause = s.sent.pauses.begin();
    for (const std::size_t cut : s.cuts) {
        const bool pauses = pause != s.sent.pauses.end() && *pause == cut;
        if (!split && !pauses) continue;
        one.feed(bytes.substr(from, cut - from));
        from = cut;
        for (; pause != s.sent.pauses.end() && *pause == cut; ++pause) one.pause();
    }
    one.feed(bytes.substr(from));
    one.finish();
    return one;
}

/// What `raw` must make of it: every piece that is not empty.
transcript chunks_of(const script& s) {
    transcript out;
    out.answers_terminated = false;
    const std::string_view bytes = s.sent.bytes;
    std::size_t from = 0;
    auto cuts = s.cuts;
    cuts.push_back(bytes.size());
    for (const std::size_t cut : cuts) {
        const auto piece = bytes.substr(from, cut - from);
        from = cut;
        if (piece.empty()) continue;
        if (piece.size() > s.limit) {
            out.too_long = true;
            return out;
        }
        out.messages.push_back({std::string{piece}, false});
    }
    return out;
}

/// Of a peer that ends its lines: all that are within the limit, and how many are not.
void check_dropped(const script& s, const listener& read) {
    const auto all = plain_parse(s.mode, s.sent.bytes.size(), s.sent, s.from).messages;
    transcript kept;
    std::ranges::copy_if(all, std::back_inserter(kept.messages),
                         [&](const owned_message& m) { return m.text.size() <= s.limit; });
    check(read.seen() == kept, "another message than an overlong one is dropped");
    check(read.dropped() == all.size() - kept.messages.size(),
          "an overlong message is reported twice, or never");
}

/// Every text is one message again once it was framed, and the same one if it is one line.
void send_again(const std::vector<owned_message>& messages) {
    std::string wire;
    for (const auto& m : messages) append_framed(wire, m.text, true);
    const auto read = plain_parse(framing::line, wire.size(), {wire});
    check(read.messages.size() == messages.size(), "a message became several, or none");
    for (std::size_t i = 0; i < messages.size(); ++i) {
        check(!is_one_line(messages[i].text) || read.messages[i].text == messages[i].text,
              "a line did not survive the way");
    }
}

}  // namespace

void examine(std::string_view input) {
    const script s = script_of(input);
    const auto split = parse(s, true);
    send_again(split.seen().messages);
    if (s.mode == framing::raw) {
        const bool is_plain = s.beyond == overlong::fails && !s.refuses_others;
        check(!is_plain || split.seen() == chunks_of(s), "raw is not what each chunk brought");
        return;
    }
    const auto whole = parse(s, false);
    check(split.seen() == whole.seen() && split.dropped() == whole.dropped(),
          "the split changed the messages");
    if (split.is_foreign() || whole.is_foreign()) return;
    if (s.beyond == overlong::fails) {
        check(split.seen() == plain_parse(s.mode, s.limit, s.sent, s.from),
              "not what the plainest parser reads");
    } else if (s.mode == framing::line) {
        check_dropped(s, split);
    }
}

}  // namespace sluice::fuzz::framing_target
