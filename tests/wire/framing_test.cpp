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
    const auto lent = std::make_unique<std::string>(chunk);
    reader.feed(*lent);
    const bool sound = drain(reader, seen);
    lent->assign(chunk.size(), '!');
    return sound;
}

/// Reads `sent`, split into chunks before each position in `cuts`, which ascend.
transcript parse(framing mode, std::size_t limit, const stream& sent,
                 const std::vector<std::size_t>& cuts) {
    frame_reader reader{mode, limit};
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
        if (pauses) {
            reader.pause();
            ++pause;
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
    };
}

std::string show(framing mode, const stream& sent) {
    return std::string{to_text(mode)} + " " + ::testing::PrintToString(sent.bytes) + " pauses " +
           ::testing::PrintToString(sent.pauses);
}

class line_framings : public ::testing::TestWithParam<framing> {};
INSTANTIATE_TEST_SUITE_P(mode, line_framings, ::testing::Values(framing::line, framing::automatic),
                         [](const auto& mode) { return std::string{to_text(mode.param)}; });

TEST_P(line_framings, reads_samples_as_the_plainest_parser_does) {
    for (const auto& sent : samples()) {
        EXPECT_EQ(parse(GetParam(), 8, sent, {}), plain_parse(GetParam(), 8, sent))
            << show(GetParam(), sent);
    }
}

TEST_P(line_framings, split_anywhere_once_or_twice_the_same_bytes_parse_the_same) {
    for (const auto& sent : samples()) {
        const auto whole = parse(GetParam(), 8, sent, {});
        for (std::size_t first = 0; first <= sent.bytes.size(); ++first) {
            for (std::size_t second = first; second <= sent.bytes.size(); ++second) {
                ASSERT_EQ(parse(GetParam(), 8, sent, {first, second}), whole)
                    << show(GetParam(), sent) << " split at " << first << " and " << second;
            }
        }
    }
}

TEST_P(line_framings, a_byte_at_a_time_the_same_bytes_parse_the_same) {
    for (const auto& sent : samples()) {
        std::vector<std::size_t> everywhere(sent.bytes.size());
        for (std::size_t i = 0; i < everywhere.size(); ++i) everywhere[i] = i;
        EXPECT_EQ(parse(GetParam(), 8, sent, everywhere), parse(GetParam(), 8, sent, {}))
            << show(GetParam(), sent);
    }
}

TEST_P(line_framings, random_streams_parse_the_same_however_they_are_split) {
    constexpr std::string_view alphabet = "ab\r\n";
    for (std::uint32_t seed = 0; seed < 3000; ++seed) {
        std::mt19937 random{seed};
        const auto one_in = [&](unsigned n) { return random() % n == 0; };
        stream sent;
        std::vector<std::size_t> cuts;
        const std::size_t length = random() % 60;
        for (std::size_t i = 0; i < length; ++i) {
            if (GetParam() == framing::automatic && one_in(8)) sent.pauses.push_back(i);
            if (one_in(4)) cuts.push_back(i);
            sent.bytes.push_back(alphabet[random() % alphabet.size()]);
        }
        const std::size_t limit = random() % 12;
        const auto whole = parse(GetParam(), limit, sent, {});
        ASSERT_EQ(whole, plain_parse(GetParam(), limit, sent))
            << "seed " << seed << " limit " << limit << ": " << show(GetParam(), sent);
        ASSERT_EQ(parse(GetParam(), limit, sent, cuts), whole)
            << "seed " << seed << " limit " << limit << ": " << show(GetParam(), sent);
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
    EXPECT_FALSE(reader.awaits_pause());
    reader.pause();
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

TEST(line_framing, may_be_told_what_comes_next_right_after_the_last_message) {
    const auto after_a_joined_line = [](const auto& then) {
        frame_reader reader{framing::automatic, no_limit};
        transcript seen;
        feed(reader, "jo", seen);
        reader.feed("ined\n");
        EXPECT_EQ((**reader.next()).text, "joined");
        then(reader);
        return *reader.next();
    };
    EXPECT_EQ(after_a_joined_line([](frame_reader& r) { r.pause(); }), std::nullopt);
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
    EXPECT_FALSE(reader.awaits_pause());
    feed(reader, "a\n", seen);
    EXPECT_FALSE(reader.awaits_pause());
    feed(reader, "b", seen);
    EXPECT_TRUE(reader.awaits_pause());
    EXPECT_TRUE(reader.answers_terminated());
    reader.pause();
    drain(reader, seen);
    EXPECT_FALSE(reader.awaits_pause());
    EXPECT_FALSE(reader.answers_terminated());
    EXPECT_THAT(seen.messages, ElementsAre(with_end("a"), without_end("b")));
}

TEST(auto_framing, answers_without_end_from_then_on) {
    const auto seen = parse(framing::automatic, no_limit, {"b c\nd\n", {1}}, {});
    EXPECT_THAT(seen.messages, ElementsAre(without_end("b"), with_end(" c"), with_end("d")));
    EXPECT_FALSE(seen.answers_terminated);
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
}

TEST(auto_framing, ignores_a_pause_when_nothing_waits) {
    const auto seen = parse(framing::automatic, no_limit, {"a\n\nb\n", {0, 2, 3}}, {});
    EXPECT_THAT(seen.messages, ElementsAre(with_end("a"), with_end(""), with_end("b")));
    EXPECT_TRUE(seen.answers_terminated);
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
    EXPECT_FALSE(reader.awaits_pause());
    reader.pause();
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
        EXPECT_FALSE(reader.awaits_pause());
        reader.pause();
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
    reader.pause();
    drain(reader, seen);
    EXPECT_EQ(seen.messages.at(0).text, std::string(10'000, 'x'));
    EXPECT_EQ(reader.held_bytes(), 0U);
}

TEST(framing_memory, does_not_grow_under_a_flood_of_empty_lines_and_empty_chunks) {
    frame_reader reader{framing::automatic, no_limit};
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
    EXPECT_DEATH(reader.pause(), "pause is told before the chunk is drained");
    EXPECT_DEATH(reader.finish(), "end is told before the chunk is drained");
    frame_reader done{framing::line, no_limit};
    done.finish();
    EXPECT_DEATH(done.feed("c\n"), "after the end");
}

std::string framed(std::string_view text, bool terminated) {
    std::string out = "before|";
    append_framed(out, text, terminated);
    return out.substr(7);
}

TEST(framed_text, ends_as_it_is_told) {
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
