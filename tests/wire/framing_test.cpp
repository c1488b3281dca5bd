// Framing: what is a message in each mode, its limits, and that no split of the bytes changes it.
#include "sluice/wire/framing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/wire/plain_framing.hpp"

namespace sluice::wire {

void PrintTo(const owned_message& m, std::ostream* out) {
    *out << ::testing::PrintToString(m.text) << (m.terminated ? " with" : " without") << " end";
}

void PrintTo(const transcript& t, std::ostream* out) {
    *out << ::testing::PrintToString(t.messages) << (t.too_long ? ", then too long" : "")
         << (t.answers_terminated ? ", answered with end" : ", answered without");
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::size_t no_limit = std::size_t{1} << 20;

owned_message with_end(std::string text) {
    return {std::move(text), true};
}
owned_message without_end(std::string text) {
    return {std::move(text), false};
}

/// Takes messages until there is none. False on an error.
bool drain(frame_reader& reader, transcript& seen) {
    while (true) {
        const auto found = reader.next();
        seen.answers_terminated = reader.answers_terminated();
        if (!found) {
            EXPECT_EQ(found.error(), fault::message_too_long);
            seen.too_long = true;
            return false;
        }
        if (!*found) return true;
        seen.messages.push_back({std::string{(*found)->text}, (*found)->terminated});
    }
}

/// Feeds a chunk from memory of its own, which is gone once the chunk is drained: whatever the
/// reader still needs of it must have been copied, or the address sanitizer reports it.
bool feed(frame_reader& reader, std::string_view chunk, transcript& seen) {
    const auto leased = std::make_unique<std::string>(chunk);
    reader.feed(*leased);
    const bool sound = drain(reader, seen);
    leased->assign(chunk.size(), '!');
    return sound;
}

/// Reads `sent`, split into chunks before each position in `cuts`, which ascend.
transcript parse(framing mode, std::size_t limit, const stream& sent,
                 const std::vector<std::size_t>& cuts, sender who = sender::program) {
    frame_reader reader{mode, limit, who};
    transcript seen;
    std::string_view bytes = sent.bytes;
    std::size_t from = 0;
    const auto feed_up_to = [&](std::size_t to) {
        const bool sound = feed(reader, bytes.substr(from, to - from), seen);
        from = to;
        return sound;
    };
    auto cut = cuts.begin();
    auto pause = sent.pauses.begin();
    for (std::size_t at = 0; at <= bytes.size(); ++at) {
        const bool pauses = pause != sent.pauses.end() && *pause == at;
        const bool splits = cut != cuts.end() && *cut == at;
        if ((pauses || splits || at == bytes.size()) && !feed_up_to(at)) return seen;
        for (; pause != sent.pauses.end() && *pause == at; ++pause) {
            reader.end_pause();
            if (!drain(reader, seen)) return seen;
        }
        if (splits) ++cut;
    }
    reader.finish();
    drain(reader, seen);
    return seen;
}

/// Streams with every kind of line end, with and without pauses, below and above a limit of 8.
std::vector<stream> samples() {
    const std::string binary{"\0\r\n\0\n\xff\r", 7};
    return {
        {""},
        {"\n"},
        {"\r\n"},
        {"a"},
        {"a\n"},
        {"a\r\nb\n"},
        {"a\r\r\n\r\nb\r"},
        {"\n\n\r\n\n"},
        {"hello\nworld"},
        {"12345678\n12345678\r\n12345678"},
        {"12345678\r"},
        {"ok\n123456789\nnever"},
        {"ok\n12345678\rx"},
        {"ok\n12345678\r\r\n"},
        {"12345678901234567890"},
        {binary},
        {"gr\xc3\xbc\xc3\x9f\n\xf0\x9f\x98\x80\r\n"},
        {"a\nb", {3}},
        {"ab\nc", {1, 2, 3}},
        {"hello\nx\n", {5}},
        {"hello\r\nx\n", {5}},
        {"hello\r\nx\n", {6}},
        {"hello\n\nx", {5, 6, 7}},
        {"hey\r\r\n", {3, 4}},
        {"hey\r\n", {3, 4}},
        {"12345678\r\n", {9}},
        {"12345678\n", {8}},
        {"1234567812345678", {8}},
        {"one\ntwo three", {5, 7}},
        {"1", {1}},
        {"12", {1, 2}},
        {"1\n2", {1, 3}},
        // Of a telnet: returns, commands, parameters, and what only looks like them.
        {{"one\r\0two\r\0", 10}},
        {{"one\r\0two\rthree\r\nfour\r\r\0\n", 24}},
        {"a\xff\xf4\xff\xfd\x06"
         "b\rc\r\nd"},
        {"\xff\xfb\x01"
         "a\xff\xffz\r",
         {1, 3, 5}},
        {"\xff\xfa\x18\x00\xff\xff\n\xff\xf0ok\r"},
        {"\xff\xfa\x1f\xff\xfb\xff"
         "a\n\xff\xf9"
         "b\n"},
        {"\xff\xf4\xff"
         "a\r\xff"},
        {"\xff"
         "a\xff\xfb\r\n\xff"},
        {"\xff\r\nb\xff"},
        {"\xff\xff\n\xff"},
        {"1234567\xff"},
        {"12345678\xff"},
        {{"12345678\r\0", 10}},
        {{"123456789\r\0", 11}},
        // Keys, and halves of characters.
        {"hi\r\n", {1, 2, 3}},
        {"hi\rab\rc", {1, 2, 3, 5, 6}},
        {"hello\r\n", {1, 4, 4}},
        {"hello\rab\r", {1, 3, 6, 9}},
        {"y\rn\r\n", {1, 2, 3}},
        {"yes", {1, 1, 3}},
        {"gr\xc3\xbcn", {3, 4, 5}},
        {"gr\xc3\xbcn", {3, 3, 5}},
        {"\xd0\xb4\xd0\xb0\r\n", {1, 2, 3, 4, 5}},
        {"aabbcc"
         "d",
         {2, 4, 6, 7}},
    };
}

std::string show(const stream& sent) {
    return ::testing::PrintToString(sent.bytes) + " pauses " +
           ::testing::PrintToString(sent.pauses);
}

constexpr const char* name_of(sender from) {
    switch (from) {
        case sender::program: return "program";
        case sender::client: return "client";
        case sender::person: return "person";
    }
    return "";
}

class line_framings : public ::testing::TestWithParam<std::tuple<framing, sender>> {
 protected:
    static framing mode() { return std::get<0>(GetParam()); }
    static sender from() { return std::get<1>(GetParam()); }
    static transcript parse_split(std::size_t limit, const stream& sent,
                                  const std::vector<std::size_t>& cuts) {
        return parse(mode(), limit, sent, cuts, from());
    }
};
INSTANTIATE_TEST_SUITE_P(mode, line_framings,
                         ::testing::Combine(::testing::Values(framing::line, framing::automatic),
                                            ::testing::Values(sender::program, sender::client,
                                                              sender::person)),
                         [](const auto& which) {
                             return std::string{to_text(std::get<0>(which.param))} + "_of_a_" +
                                    name_of(std::get<1>(which.param));
                         });

TEST_P(line_framings, reads_samples_as_the_plainest_parser_does) {
    for (const auto& sent : samples()) {
        EXPECT_EQ(parse_split(8, sent, {}), plain_parse(mode(), 8, sent, from())) << show(sent);
    }
}

TEST_P(line_framings, split_anywhere_once_or_twice_the_same_bytes_parse_the_same) {
    for (const auto& sent : samples()) {
        const auto whole = parse_split(8, sent, {});
        for (std::size_t first = 0; first <= sent.bytes.size(); ++first) {
            for (std::size_t second = first; second <= sent.bytes.size(); ++second) {
                ASSERT_EQ(parse_split(8, sent, {first, second}), whole)
                    << show(sent) << " split at " << first << " and " << second;
            }
        }
    }
}

TEST_P(line_framings, a_byte_at_a_time_the_same_bytes_parse_the_same) {
    for (const auto& sent : samples()) {
        std::vector<std::size_t> everywhere(sent.bytes.size());
        for (std::size_t i = 0; i < everywhere.size(); ++i) everywhere[i] = i;
        EXPECT_EQ(parse_split(8, sent, everywhere), parse_split(8, sent, {})) << show(sent);
    }
}

TEST_P(line_framings, random_streams_parse_the_same_however_they_are_split) {
    constexpr std::string_view plain = "ab\r\n";
    constexpr std::string_view of_a_telnet{"ab\xc3\xbc\r\n\0\xff\xff\xff\xfa\xf0\xfb\xf4", 14};
    for (std::uint32_t seed = 0; seed < 3000; ++seed) {
        std::mt19937 random{seed};
        const auto one_in = [&](unsigned n) { return random() % n == 0; };
        const auto alphabet = seed % 2 == 0 ? plain : of_a_telnet;
        stream sent;
        std::vector<std::size_t> cuts;
        const std::size_t length = random() % 60;
        for (std::size_t i = 0; i < length; ++i) {
            while (mode() == framing::automatic && one_in(6)) sent.pauses.push_back(i);
            if (one_in(4)) cuts.push_back(i);
            sent.bytes.push_back(alphabet[random() % alphabet.size()]);
        }
        const std::size_t limit = random() % 12;
        const auto whole = parse_split(limit, sent, {});
        ASSERT_EQ(whole, plain_parse(mode(), limit, sent, from()))
            << "seed " << seed << " limit " << limit << ": " << show(sent);
        ASSERT_EQ(parse_split(limit, sent, cuts), whole)
            << "seed " << seed << " limit " << limit << ": " << show(sent);
    }
}

TEST(framing_names, are_read_back_as_they_are_written) {
    for (const auto mode : {framing::automatic, framing::line, framing::raw}) {
        EXPECT_EQ(framing_from_text(to_text(mode)), mode);
    }
    EXPECT_EQ(to_text(framing::automatic), "auto");
    for (const auto* const wrong : {"", "Auto", "automatic", "lines", "raw "}) {
        EXPECT_EQ(framing_from_text(wrong), std::nullopt) << wrong;
    }
}

TEST(line_framing, drops_the_line_end_and_keeps_what_is_empty) {
    const auto seen = parse(framing::line, no_limit, {"a\r\n\r\n\nb\rc\r\r\n"}, {});
    EXPECT_THAT(seen.messages,
                ElementsAre(with_end("a"), with_end(""), with_end(""), with_end("b\rc\r")));
    EXPECT_TRUE(seen.answers_terminated);
}

TEST(line_framing, takes_what_remains_at_the_end_for_a_message) {
    const auto seen = parse(framing::line, no_limit, {"a\nb\r"}, {});
    EXPECT_THAT(seen.messages, ElementsAre(with_end("a"), without_end("b\r")));
    EXPECT_TRUE(seen.answers_terminated);
}

TEST(line_framing, knows_no_pauses) {
    frame_reader reader{framing::line, no_limit};
    transcript seen;
    feed(reader, "half", seen);
    EXPECT_EQ(reader.awaited(), pause::none);
    reader.end_pause();
    feed(reader, " and half\n", seen);
    EXPECT_THAT(seen.messages, ElementsAre(with_end("half and half")));
}

TEST(line_framing, hands_out_whole_lines_where_they_lie) {
    const std::string chunk = "one\r\ntwo\nthr";
    frame_reader reader{framing::line, no_limit};
    reader.feed(chunk);
    EXPECT_EQ((**reader.next()).text.data(), chunk.data());
    EXPECT_EQ((**reader.next()).text.data(), chunk.data() + 5);
    EXPECT_EQ(reader.held_bytes(), 0U);
    EXPECT_EQ(*reader.next(), std::nullopt);
    EXPECT_GT(reader.held_bytes(), 0U);

    const std::string rest = "ee\nfour\n";
    reader.feed(rest);
    EXPECT_EQ((**reader.next()).text, "three");
    EXPECT_EQ((**reader.next()).text.data(), rest.data() + 3);
    EXPECT_EQ(*reader.next(), std::nullopt);
    EXPECT_EQ(reader.held_bytes(), 0U);
}

TEST(line_framing, may_be_asked_again_after_nothing_more) {
    frame_reader reader{framing::line, 3};
    EXPECT_EQ(*reader.next(), std::nullopt);
    // The most that can wait: a message of full length and the first half of its line end.
    reader.feed("abc\r");
    EXPECT_EQ(*reader.next(), std::nullopt);
    EXPECT_EQ(*reader.next(), std::nullopt);
    reader.feed("");
    EXPECT_EQ(*reader.next(), std::nullopt);
    reader.feed("\n");
    EXPECT_EQ((**reader.next()).text, "abc");
    EXPECT_EQ(*reader.next(), std::nullopt);
}

TEST(line_framing, takes_the_next_chunk_right_after_the_last_message) {
    const auto after_a_joined_line = [](const auto& then) {
        frame_reader reader{framing::automatic, no_limit};
        transcript seen;
        feed(reader, "jo", seen);
        reader.feed("ined\n");
        EXPECT_EQ((**reader.next()).text, "joined");
        then(reader);
        return *reader.next();
    };
    EXPECT_EQ(after_a_joined_line([](frame_reader& r) { r.end_pause(); }), std::nullopt);
    EXPECT_EQ(after_a_joined_line([](frame_reader& r) { r.finish(); }), std::nullopt);
    EXPECT_EQ(after_a_joined_line([](frame_reader& r) { r.feed("x\n"); })->text, "x");
}

TEST(line_framing, moves_with_what_it_has_read) {
    frame_reader first{framing::line, no_limit};
    transcript seen;
    feed(first, "moved while ", seen);
    frame_reader second{std::move(first)};
    feed(second, "waiting\nand aga", seen);
    frame_reader third{framing::raw, 1};
    third = std::move(second);
    feed(third, "in\n", seen);
    EXPECT_THAT(seen.messages, ElementsAre(with_end("moved while waiting"), with_end("and again")));
}

TEST(auto_framing, takes_a_pause_for_the_end_of_a_message) {
    frame_reader reader{framing::automatic, no_limit};
    transcript seen;
    EXPECT_TRUE(reader.answers_terminated());
    EXPECT_EQ(reader.awaited(), pause::none);
    feed(reader, "a", seen);
    EXPECT_EQ(reader.awaited(), pause::first);
    EXPECT_TRUE(reader.answers_terminated());
    reader.end_pause();
    drain(reader, seen);
    EXPECT_EQ(reader.awaited(), pause::none);
    EXPECT_FALSE(reader.answers_terminated());
    EXPECT_THAT(seen.messages, ElementsAre(without_end("a")));
}

TEST(auto_framing, knows_no_pause_after_the_first_newline) {
    const auto seen = parse(framing::automatic, no_limit, {"b c\nd e\n", {1, 5, 6}}, {});
    EXPECT_THAT(seen.messages, ElementsAre(without_end("b"), with_end(" c"), with_end("d e")));
    EXPECT_TRUE(seen.answers_terminated) << "it ends its lines after all";
    frame_reader reader{framing::automatic, no_limit};
    transcript last;
    feed(reader, "a\nb", last);
    EXPECT_EQ(reader.awaited(), pause::none);
    reader.finish();
    drain(reader, last);
    EXPECT_THAT(last.messages, ElementsAre(with_end("a"), without_end("b")));
    EXPECT_TRUE(last.answers_terminated);
}

TEST(auto_framing, waits_less_for_a_peer_that_ends_nothing_several_times_in_a_row) {
    frame_reader reader{framing::automatic, no_limit, sender::person};
    transcript seen;
    for (int i = 0; i < 3; ++i) {
        feed(reader, "10", seen);
        EXPECT_EQ(reader.awaited(), pause::first) << i;
        reader.end_pause();
        drain(reader, seen);
    }
    // A single character, too, is a message of such a peer.
    for (const auto* text : {"10", "1"}) {
        feed(reader, text, seen);
        EXPECT_EQ(reader.awaited(), pause::usual);
        reader.end_pause();
        drain(reader, seen);
    }
    EXPECT_EQ(seen.messages.size(), 5U);
    EXPECT_EQ(seen.messages.back(), without_end("1"));
    feed(reader, "\nand a line", seen);
    EXPECT_EQ(reader.awaited(), pause::none);
    EXPECT_TRUE(reader.answers_terminated());
}

TEST(auto_framing, takes_what_remains_at_the_end_for_a_message_without_end) {
    const auto seen = parse(framing::automatic, no_limit, {"30"}, {});
    EXPECT_THAT(seen.messages, ElementsAre(without_end("30")));
    EXPECT_FALSE(seen.answers_terminated);
}

TEST(auto_framing, takes_a_late_line_end_for_the_end_of_the_slow_message) {
    EXPECT_THAT(parse(framing::automatic, no_limit, {"a\nb\n", {1}}, {}).messages,
                ElementsAre(without_end("a"), with_end("b")));
    EXPECT_THAT(parse(framing::automatic, no_limit, {"a\r\n\nb", {1}}, {2}).messages,
                ElementsAre(without_end("a"), with_end(""), without_end("b")));
    EXPECT_THAT(parse(framing::automatic, no_limit, {"ab\n\n", {1}}, {}).messages,
                ElementsAre(without_end("a"), with_end("b"), with_end("")));
    EXPECT_TRUE(parse(framing::automatic, no_limit, {"a\n", {1}}, {}).answers_terminated);
}

TEST(auto_framing, ignores_a_pause_when_nothing_waits) {
    const auto seen = parse(framing::automatic, no_limit, {"a\n\nb\n", {0, 2, 3}}, {});
    EXPECT_THAT(seen.messages, ElementsAre(with_end("a"), with_end(""), with_end("b")));
    EXPECT_TRUE(seen.answers_terminated);
}

/// What a person sends who uses a telnet, or types into a terminal that sends each key.
transcript from_person(const stream& sent) {
    return parse(framing::automatic, no_limit, sent, {}, sender::person);
}

TEST(person_framing, a_single_character_waits_for_its_neighbours) {
    for (const auto* key : {"h", "\xc3\xbc"}) {
        frame_reader reader{framing::automatic, no_limit, sender::person};
        transcript seen;
        feed(reader, key, seen);
        EXPECT_EQ(reader.awaited(), pause::first);
        reader.end_pause();
        EXPECT_TRUE(drain(reader, seen));
        EXPECT_THAT(seen.messages, IsEmpty());
        EXPECT_EQ(reader.awaited(), pause::typed);
        reader.end_pause();
        drain(reader, seen);
        EXPECT_THAT(seen.messages, ElementsAre(without_end(key)));
    }
}

TEST(person_framing, keys_one_by_one_are_a_line) {
    EXPECT_THAT(from_person({"hi\r\nyou\r\n", {1, 2, 3, 4, 5, 5, 6}}).messages,
                ElementsAre(with_end("hi"), with_end("you")));
    EXPECT_THAT(from_person({"hi\ryou\r", {1, 2, 3, 4, 4, 5}}).messages,
                ElementsAre(with_end("hi"), with_end("you")));
    EXPECT_THAT(from_person({"y\rno\r", {1, 2, 3, 4}}).messages,
                ElementsAre(with_end("y"), with_end("no")));
    // Some of them fast.
    EXPECT_THAT(from_person({"hello you\r\n", {1, 3, 7, 8, 8}}).messages,
                ElementsAre(with_end("hello you")));
    EXPECT_THAT(from_person({"hello\ryou\r", {1, 6}}).messages,
                ElementsAre(with_end("hello"), with_end("you")));
}

TEST(person_framing, a_character_is_not_cut_in_two) {
    EXPECT_THAT(from_person({"gr\xc3\xbcn\n", {3}}).messages, ElementsAre(with_end("gr\xc3\xbcn")));
    EXPECT_THAT(from_person({"gr\xc3\xbcn", {3, 4}}).messages,
                ElementsAre(without_end("gr\xc3\xbc"), without_end("n")));
    EXPECT_THAT(from_person({"gr\xc3n", {3, 3}}).messages,
                ElementsAre(without_end("gr\xc3"), without_end("n")));
}

TEST(person_framing, words_typed_one_at_a_time_are_messages_soon) {
    EXPECT_THAT(from_person({"ok then", {2}}).messages,
                ElementsAre(without_end("ok"), without_end(" then")));
}

/// The same from a program that may be a telnet.
std::vector<owned_message> from_client(const stream& sent) {
    return parse(framing::automatic, no_limit, sent, {}, sender::client).messages;
}

TEST(telnet_framing, a_return_ends_a_line_alone_or_with_what_belongs_to_it) {
    EXPECT_THAT(from_client({{"one\r\0two\rthree\r\n\r\r\nfour", 23}}),
                ElementsAre(with_end("one"), with_end("two"), with_end("three"), with_end(""),
                            with_end(""), without_end("four")));
    EXPECT_THAT(from_client({"one\rtwo\n"}), ElementsAre(with_end("one\rtwo"))) << "of no telnet";
    EXPECT_THAT(from_client({"one\rtwo\n\xff\xf1three\rfour\r\n"}),
                ElementsAre(with_end("one\rtwo"), with_end("three"), with_end("four")));
    EXPECT_THAT(from_client({{"on\0e\n", 5}}), ElementsAre(with_end({"on\0e", 4})));
}

TEST(telnet_framing, commands_are_no_text) {
    EXPECT_THAT(from_client({"\xff\xf4\xff\xfd\x06", {5}}), IsEmpty());
    EXPECT_THAT(from_client({"a\xff\xfb\x03"
                             "b\xff\xfe\xff"
                             "c\xff\xf0"
                             "d\n"}),
                ElementsAre(with_end("abcd")));
    EXPECT_THAT(from_client({"a\xff\xfa\x1f\n\r\xff\xff\n\xff\xf0"
                             "b\n"}),
                ElementsAre(with_end("ab")));
    EXPECT_THAT(from_client({"a\xff\xff"
                             "b\n"}),
                ElementsAre(with_end("a\xff"
                                     "b")));
    // The data mark of a telnet's interrupt travels out of band.
    EXPECT_THAT(from_client({"\xff\xf4\xff"
                             "hello\n"}),
                ElementsAre(with_end("hello")));
}

TEST(telnet_framing, a_timing_mark_is_owed_once_to_who_asks_for_it) {
    // Each split: it is asked for between the commands of Ctrl-C, or not at all.
    const std::string asks = "\xff\xf4\xff\xfd\x06";
    for (std::size_t cut = 0; cut <= asks.size(); ++cut) {
        frame_reader reader{framing::line, no_limit, sender::client};
        transcript seen;
        EXPECT_FALSE(reader.take_timing_mark());
        feed(reader, asks.substr(0, cut), seen);
        feed(reader, asks.substr(cut), seen);
        EXPECT_TRUE(reader.take_timing_mark()) << cut;
        EXPECT_FALSE(reader.take_timing_mark()) << cut;
    }
    for (const std::string other :
         {"\xff\xfb\x06", "\xff\xfe\x06", "\xff\xfd\x03", "\xff\xfd\x03\x06", "\xfd\x06\n"}) {
        frame_reader reader{framing::line, no_limit, sender::client};
        transcript seen;
        feed(reader, other, seen);
        EXPECT_FALSE(reader.take_timing_mark());
    }
}

TEST(telnet_framing, who_sends_commands_ends_its_lines) {
    EXPECT_THAT(from_client({"\xff\xfd\x03"
                             "abc\n",
                             {3, 4, 5}}),
                ElementsAre(with_end("abc")));
}

TEST(telnet_framing, an_0xff_that_begins_no_command_is_text_for_good) {
    EXPECT_THAT(from_client({"\xff"
                             "a\xff\xfb\x01\n\xff\xff\n"}),
                ElementsAre(with_end("\xff"
                                     "a\xff\xfb\x01"),
                            with_end("\xff\xff")));
    EXPECT_THAT(from_client({"a\xff"}), ElementsAre(without_end("a\xff")));
    EXPECT_THAT(from_client({"\xff"}), ElementsAre(without_end("\xff")));
    const stream text{
        "a\xff\xfb\x01"
        "b\rc\n"};
    EXPECT_THAT(parse(framing::automatic, no_limit, text, {}).messages,
                ElementsAre(with_end(text.bytes.substr(0, 7))))
        << "of a program that is no client";
}

TEST(telnet_framing, a_flood_of_commands_holds_no_memory) {
    frame_reader reader{framing::line, no_limit, sender::client};
    transcript seen;
    feed(reader, "\xff\xfa", seen);
    for (int i = 0; i < 1000; ++i) {
        feed(reader, std::string(100, 'x'), seen);
        ASSERT_EQ(reader.held_bytes(), 0U);
    }
    EXPECT_THAT(seen.messages, IsEmpty());
}

TEST(raw_framing, takes_every_chunk_as_it_is) {
    frame_reader reader{framing::raw, no_limit};
    transcript seen;
    const std::string chunk = "a\r\n\nb\n";
    reader.feed(chunk);
    const auto found = reader.next();
    EXPECT_EQ((**found).text.data(), chunk.data());
    EXPECT_EQ((**found).text, chunk);
    EXPECT_FALSE((**found).terminated);
    drain(reader, seen);
    feed(reader, "", seen);
    feed(reader, "\n", seen);
    feed(reader, "end", seen);
    EXPECT_EQ(reader.awaited(), pause::none);
    reader.end_pause();
    reader.finish();
    drain(reader, seen);
    EXPECT_THAT(seen.messages, ElementsAre(without_end("\n"), without_end("end")));
    EXPECT_FALSE(seen.answers_terminated);
    EXPECT_EQ(reader.held_bytes(), 0U);
}

TEST(raw_framing, has_its_limit_too) {
    frame_reader reader{framing::raw, 3};
    transcript seen;
    EXPECT_TRUE(feed(reader, "abc", seen));
    EXPECT_FALSE(feed(reader, "abcd", seen));
    EXPECT_THAT(seen.messages, ElementsAre(without_end("abc")));
}

TEST(framing_limit, gives_the_messages_before_the_long_one) {
    const auto seen = parse(framing::line, 3, {"abc\nabc\r\nabcd\nabc\n"}, {});
    EXPECT_THAT(seen.messages, ElementsAre(with_end("abc"), with_end("abc")));
    EXPECT_TRUE(seen.too_long);
}

TEST(framing_limit, is_known_before_the_line_ends) {
    frame_reader reader{framing::line, 3};
    transcript seen;
    EXPECT_TRUE(feed(reader, "abc", seen));
    EXPECT_TRUE(feed(reader, "\r", seen));
    EXPECT_FALSE(feed(reader, "x", seen));
    EXPECT_TRUE(seen.too_long);
}

TEST(framing_limit, counts_a_return_that_is_no_line_end) {
    EXPECT_TRUE(parse(framing::line, 3, {"abc\r"}, {}).too_long);
    EXPECT_TRUE(parse(framing::automatic, 3, {"abc\r\n", {4}}, {}).too_long);
    EXPECT_FALSE(parse(framing::automatic, 3, {"abc\r\n", {5}}, {}).too_long);
}

/// Messages and, as "(too long)", what was dropped.
std::vector<std::string> read_dropping(frame_reader& reader, std::string_view chunk) {
    const auto leased = std::make_unique<std::string>(chunk);
    std::vector<std::string> seen;
    reader.feed(*leased);
    for (auto found = reader.next(); !found || *found; found = reader.next()) {
        seen.push_back(found ? std::string{(*found)->text} : "(too long)");
        // The chunk goes while it is being read.
        const auto moved = std::make_unique<std::string>(reader.rest_of_chunk());
        reader.move_rest_to(*moved);
        leased->assign(leased->size(), '!');
        leased->assign(*moved);
        reader.move_rest_to(*leased);
    }
    return seen;
}

TEST(framing_limit, messages_beyond_it_are_dropped_alone_however_they_are_split) {
    const std::string bytes = "ok\n123456789\nstays\r\n12345678\r\n1234567890123\r\n\nend\n";
    for (const auto mode : {framing::line, framing::automatic}) {
        for (std::size_t i = 0; i <= bytes.size(); ++i) {
            for (std::size_t j = i; j <= bytes.size(); ++j) {
                frame_reader reader{mode, 8, sender::program, overlong::dropped};
                std::vector<std::string> seen;
                for (const auto& chunk :
                     {bytes.substr(0, i), bytes.substr(i, j - i), bytes.substr(j)}) {
                    for (auto& m : read_dropping(reader, chunk)) seen.push_back(std::move(m));
                }
                ASSERT_THAT(seen, ElementsAre("ok", "(too long)", "stays", "12345678", "(too long)",
                                              "", "end"))
                    << i << ", " << j;
            }
        }
    }
}

TEST(framing_limit, a_dropped_message_ends_at_a_pause_too) {
    frame_reader reader{framing::automatic, 3, sender::program, overlong::dropped};
    EXPECT_THAT(read_dropping(reader, "abcd"), ElementsAre("(too long)"));
    EXPECT_THAT(read_dropping(reader, "efgh"), IsEmpty());
    EXPECT_NE(reader.awaited(), pause::none);
    reader.end_pause();
    EXPECT_FALSE(*reader.next());
    EXPECT_EQ(reader.awaited(), pause::none);
    EXPECT_THAT(read_dropping(reader, "\n\nabc\n"), ElementsAre("", "abc"));

    frame_reader raw{framing::raw, 3, sender::program, overlong::dropped};
    EXPECT_THAT(read_dropping(raw, "abcd"), ElementsAre("(too long)"));
    EXPECT_THAT(read_dropping(raw, "abc"), ElementsAre("abc"));
}

TEST(framing_limit, a_dropped_message_of_a_person_ends_at_a_pause_however_it_is_split) {
    const std::string bytes = "hello";
    for (std::size_t i = 0; i <= bytes.size(); ++i) {
        frame_reader reader{framing::automatic, 3, sender::person, overlong::dropped};
        auto seen = read_dropping(reader, bytes.substr(0, i));
        for (auto& m : read_dropping(reader, bytes.substr(i))) seen.push_back(std::move(m));
        EXPECT_THAT(seen, ElementsAre("(too long)")) << i;
        reader.end_pause();
        EXPECT_THAT(read_dropping(reader, "hi"), IsEmpty()) << i;
        reader.end_pause();
        EXPECT_THAT(read_dropping(reader, ""), ElementsAre("hi")) << i;
    }
}

TEST(framing_limit, the_late_end_of_a_dropped_message_is_no_message) {
    frame_reader reader{framing::automatic, 3, sender::program, overlong::dropped};
    EXPECT_THAT(read_dropping(reader, "abc\r"), IsEmpty());
    reader.end_pause();
    EXPECT_FALSE(reader.next());
    EXPECT_THAT(read_dropping(reader, "\nab\n"), ElementsAre("ab"));
}

TEST(framing_limit, may_be_zero_or_all_there_is) {
    EXPECT_THAT(parse(framing::line, 0, {"\n\r\n"}, {}).messages,
                ElementsAre(with_end(""), with_end("")));
    EXPECT_TRUE(parse(framing::line, 0, {"a"}, {}).too_long);
    EXPECT_FALSE(parse(framing::line, SIZE_MAX, {"a\r\nb\r"}, {1, 5}).too_long);
}

TEST(framing_limit, once_passed_the_error_stays_and_nothing_is_kept) {
    for (const auto mode : {framing::line, framing::automatic, framing::raw}) {
        frame_reader reader{mode, 3};
        transcript seen;
        EXPECT_FALSE(feed(reader, "a long one", seen));
        EXPECT_FALSE(feed(reader, "a\n", seen));
        reader.feed("whoever has seen the error");
        reader.feed("need not ask for it again");
        EXPECT_FALSE(drain(reader, seen));
        EXPECT_EQ(reader.held_bytes(), 0U);
        EXPECT_EQ(reader.awaited(), pause::none);
        reader.end_pause();
        EXPECT_FALSE(drain(reader, seen));
        reader.finish();
        EXPECT_FALSE(drain(reader, seen));
        EXPECT_THAT(seen.messages, IsEmpty());
    }
}

TEST(framing_memory, grows_to_at_most_twice_what_waits) {
    frame_reader reader{framing::automatic, no_limit};
    transcript seen;
    for (std::size_t waiting = 1; waiting <= 10'000; ++waiting) {
        feed(reader, "x", seen);
        ASSERT_LE(reader.held_bytes(), std::max<std::size_t>(2 * waiting, stash::small));
    }
    reader.end_pause();
    drain(reader, seen);
    EXPECT_EQ(seen.messages.at(0).text, std::string(10'000, 'x'));
    EXPECT_EQ(reader.held_bytes(), 0U);
}

TEST(framing_memory, does_not_grow_under_a_flood_of_empty_lines_and_empty_chunks) {
    frame_reader reader{framing::automatic, no_limit, sender::person};
    transcript seen;
    for (int i = 0; i < 10'000; ++i) {
        feed(reader, "\r", seen);
        feed(reader, "", seen);
        feed(reader, "\n\n", seen);
        ASSERT_EQ(reader.held_bytes(), 0U);
    }
    EXPECT_EQ(seen.messages.size(), 20'000U);
}

TEST(framing_memory, of_a_long_message_is_not_left_to_a_short_one) {
    frame_reader reader{framing::line, no_limit};
    transcript seen;
    feed(reader, std::string(100'000, 'x'), seen);
    feed(reader, "\nshort", seen);
    EXPECT_LE(reader.held_bytes(), stash::small);
    feed(reader, "\n", seen);
    EXPECT_EQ(seen.messages.at(1), with_end("short"));
    EXPECT_EQ(reader.held_bytes(), 0U);
}

TEST(framing_memory, is_bounded_by_the_limit_whatever_is_sent) {
    frame_reader reader{framing::line, 1000};
    transcript seen;
    while (feed(reader, "0123456", seen)) ASSERT_LE(reader.held_bytes(), 2002U);
    EXPECT_TRUE(seen.too_long);
    EXPECT_EQ(reader.held_bytes(), 0U);
}

TEST(framing_contract, a_chunk_must_be_drained_and_nothing_comes_after_the_end) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    frame_reader reader{framing::line, no_limit};
    reader.feed("a\nb\n");
    EXPECT_DEATH(reader.feed("c\n"), "before the one before it is drained");
    EXPECT_DEATH(reader.end_pause(), "pause is reported before the chunk is drained");
    EXPECT_DEATH(reader.finish(), "end is reported before the chunk is drained");
    frame_reader done{framing::line, no_limit};
    done.finish();
    EXPECT_DEATH(done.feed("c\n"), "after the end");
}

std::string framed(std::string_view text, bool terminated) {
    std::string out = "before|";
    append_framed(out, text, terminated);
    return out.substr(7);
}

TEST(framed_text, ends_as_requested) {
    EXPECT_EQ(framed("hello", true), "hello\n");
    EXPECT_EQ(framed("hello", false), "hello");
    EXPECT_EQ(framed("", true), "\n");
    EXPECT_EQ(framed("a\r\nb\n", false), "a\r\nb\n");
    EXPECT_EQ(message_end(true), "\n");
    EXPECT_EQ(message_end(false), "");
}

TEST(framed_text, stays_one_message) {
    EXPECT_EQ(framed("hi\n[Admin]: obey", true), "hi [Admin]: obey\n");
    EXPECT_EQ(framed("a\r\nb\n\nc\rd\n", true), "a b  c\rd \n");
    EXPECT_EQ(framed("\n", true), " \n");
}

TEST(framed_text, of_one_line_is_read_back_as_it_was) {
    const std::vector<std::string> texts = {"", "a", " b ", "\rc", "d\re", "gr\xc3\xbc\xc3\x9f"};
    std::string wire;
    for (const auto& text : texts) {
        EXPECT_TRUE(is_one_line(text));
        append_framed(wire, text, true);
    }
    const auto seen = parse(framing::line, no_limit, {wire}, {3});
    ASSERT_EQ(seen.messages.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
        EXPECT_EQ(seen.messages[i], with_end(texts[i]));
    }
    for (const auto* const several : {"\n", "a\n", "a\nb", "a\r", "\r"}) {
        EXPECT_FALSE(is_one_line(several)) << ::testing::PrintToString(several);
    }
}

}  // namespace
}  // namespace sluice::wire
