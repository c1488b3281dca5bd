// Text: what is UTF-8, what a terminal is shown, and that both hold for any bytes at all.
#include "sluice/wire/text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::wire {
namespace {

using namespace std::string_literals;

/// Any number as UTF-8 would write it, also what may not be written.
std::string encode(std::uint32_t c) {
    const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((c >> shift) & 0x3f)); };
    if (c < 0x80) return {static_cast<char>(c)};
    if (c < 0x800) return {static_cast<char>(0xc0 | (c >> 6)), tail(0)};
    if (c < 0x10000) return {static_cast<char>(0xe0 | (c >> 12)), tail(6), tail(0)};
    return {static_cast<char>(0xf0 | (c >> 18)), tail(12), tail(6), tail(0)};
}

bool is_scalar(std::uint32_t c) {
    return c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

/// The code points of valid text, by arithmetic alone.
std::vector<std::uint32_t> decode(std::string_view text) {
    std::vector<std::uint32_t> out;
    for (const char c : text) {
        const auto byte = static_cast<std::uint8_t>(c);
        if ((byte & 0xc0) == 0x80) {
            out.back() = (out.back() << 6) | (byte & 0x3f);
        } else {
            out.push_back(byte < 0x80 ? byte : byte < 0xe0 ? byte & 0x1f : byte & 0x0f);
        }
    }
    return out;
}

bool harms_a_terminal(std::uint32_t c) {
    return (c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

/// Long enough for what is scanned in blocks, with `what` at every place in it.
std::vector<std::string> surrounded(std::string_view what) {
    std::vector<std::string> out;
    for (std::size_t before = 0; before <= 70; ++before) {
        out.push_back(std::string(before, 'x').append(what).append(70 - before, 'y'));
    }
    return out;
}

TEST(utf8, every_code_point_but_surrogates_is_valid) {
    for (std::uint32_t c = 0; c < 0x120000; ++c) {
        ASSERT_EQ(is_valid_utf8(encode(c)), is_scalar(c)) << c;
    }
}

TEST(utf8, every_sequence_of_four_bytes_is_judged_as_the_encoder_would_write_it) {
    // Of each byte, the values where some range of the Unicode Standard's table 3-7 begins or ends.
    std::vector<char> edges;
    for (const int byte :
         {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
          0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff}) {
        edges.push_back(static_cast<char>(byte));
    }
    for (const char a : edges) {
        for (const char b : edges) {
            for (const char c : edges) {
                for (const char d : edges) {
                    const std::string text{a, b, c, d};
                    const auto valid = is_valid_utf8(text);
                    std::string again;
                    if (valid) {
                        for (const auto point : decode(text)) again += encode(point);
                        ASSERT_EQ(again, text) << ::testing::PrintToString(text);
                    }
                    ASSERT_EQ(replace_invalid_utf8(text) == text, valid);
                }
            }
        }
    }
}

TEST(utf8, refuses_what_is_overlong_out_of_range_stray_or_cut_off) {
    for (const auto* const wrong : {"\xc0\x80",
                                    "\xc1\xbf",
                                    "\xe0\x80\x80",
                                    "\xe0\x9f\xbf",
                                    "\xf0\x80\x80\x80",
                                    "\xf0\x8f\xbf\xbf",
                                    "\xed\xa0\x80",
                                    "\xed\xbf\xbf",
                                    "\xf4\x90\x80\x80",
                                    "\xf5\x80\x80\x80",
                                    "\x80",
                                    "\xbf",
                                    "\xfe",
                                    "\xff",
                                    "\xc3",
                                    "\xe2\x82",
                                    "\xf0\x9f\x98",
                                    "\xc3(",
                                    "\xe2\x82(",
                                    "\xf8\x88\x80\x80\x80"}) {
        for (const auto& text : surrounded(wrong)) {
            ASSERT_FALSE(is_valid_utf8(text)) << ::testing::PrintToString(text);
        }
    }
}

TEST(utf8, accepts_what_is_valid_wherever_it_stands) {
    EXPECT_TRUE(is_valid_utf8(""));
    for (const auto* const good :
         {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
          "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\x7f", "\r\n"}) {
        for (const auto& text : surrounded(good)) ASSERT_TRUE(is_valid_utf8(text));
    }
    EXPECT_TRUE(is_valid_utf8("a\0b"s));
}

TEST(replace_invalid_utf8, puts_one_mark_for_each_maximal_subpart) {
    // The examples of the Unicode Standard, tables 3-8 to 3-11.
    EXPECT_EQ(replace_invalid_utf8("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41"),
              "\ufffd\ufffd\ufffd"
              "\ufffd\ufffd\ufffd\ufffd\ufffd"
              "A");
    EXPECT_EQ(replace_invalid_utf8("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41"),
              "\ufffd\ufffd\ufffd"
              "\ufffd\ufffd\ufffd\ufffd\ufffd"
              "A");
    EXPECT_EQ(replace_invalid_utf8("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42"),
              "\ufffd\ufffd\ufffd"
              "\ufffd\ufffd"
              "A"
              "\ufffd\ufffd"
              "B");
    EXPECT_EQ(replace_invalid_utf8("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"),
              "\ufffd\ufffd\ufffd"
              "\ufffd"
              "A");
}

TEST(replace_invalid_utf8, leaves_what_is_valid) {
    const auto text = "gr\u00fc\u00df \u20ac \U0001f600 \ufffd\x1b[0m"s;
    EXPECT_EQ(replace_invalid_utf8(text), text);
    std::string out = "before ";
    append_valid_utf8(out, "\xc3");
    EXPECT_EQ(out, "before \ufffd");
}

TEST(truncate_utf8, cuts_between_characters) {
    const auto text = "a\u00fc\u20ac\U0001f600z"s;  // begins at 0, 1, 3, 6, 10; ends at 11
    const std::vector<std::size_t> expected = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11, 11};
    for (std::size_t max = 0; max < expected.size(); ++max) {
        EXPECT_EQ(truncate_utf8(text, max), std::string_view{text}.substr(0, expected[max])) << max;
    }
}

TEST(truncate_utf8, cuts_what_is_no_character_anywhere) {
    EXPECT_EQ(truncate_utf8("\x80\x80\x80\x80\x80\x80", 5).size(), 5U);
    EXPECT_EQ(truncate_utf8("\xf0\x9f\x98", 2).size(), 2U);
    EXPECT_EQ(truncate_utf8("a\x80\x80\x80", 2).size(), 2U);
    EXPECT_EQ(truncate_utf8("\xff\xff", 1).size(), 1U);
}

TEST(printable, keeps_what_people_write) {
    for (const auto& text :
         {""s, "hello"s, "a\ttab"s, "C:\\x1b"s, "gr\u00fc\u00df"s, "\u20ac\U0001f600"s,
          "\u05e9\u05dc\u05d5\u05dd\u200f"s, "\u00a0"s, "\u2027\u202f\u2065\u206a"s}) {
        EXPECT_TRUE(is_printable(text)) << text;
        EXPECT_EQ(printable(text), text);
    }
}

TEST(printable, writes_out_what_would_act) {
    EXPECT_EQ(printable("\x1b[2J"), "\\x1b[2J");
    EXPECT_EQ(printable("a\0b"s), "a\\x00b");
    EXPECT_EQ(printable("bell\a back\b\x7f"), "bell\\x07 back\\x08\\x7f");
    EXPECT_EQ(printable("two\r\nlines"), "two\\x0d\\x0alines");
    EXPECT_EQ(printable("\u009b2J"), "\\u009b2J") << "the C1 control that begins a sequence";
    EXPECT_EQ(printable("\u202etxt.exe\u2069"), "\\u202etxt.exe\\u2069");
    EXPECT_EQ(printable("\u2028\u2029"), "\\u2028\\u2029");
}

TEST(in_quotes, shows_the_beginning_of_anything) {
    EXPECT_EQ(in_quotes(""), "''");
    EXPECT_EQ(in_quotes("gr\u00fc\u00df\x1b[m"), "'gr\u00fc\u00df\\x1b[m'");
    EXPECT_EQ(in_quotes(std::string(80, 'a')), "'" + std::string(80, 'a') + "'");
    EXPECT_EQ(in_quotes(std::string(81, 'a')), "'" + std::string(80, 'a') + "...'");
    EXPECT_EQ(in_quotes("\u20ac\u20ac", 4), "'\u20ac...'");
}

TEST(printable, writes_out_what_is_not_utf8_byte_for_byte) {
    EXPECT_EQ(printable("\xff"), "\\xff");
    EXPECT_EQ(printable("caf\xe9!"), "caf\\xe9!");
    EXPECT_EQ(printable("\x9b"
                        "2J"),
              "\\x9b2J")
        << "the same control of an 8-bit terminal";
    EXPECT_EQ(printable("\xf0\x9f\x98"), "\\xf0\\x9f\\x98");
    EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");
}

TEST(printable, decides_on_every_code_point) {
    for (std::uint32_t c = 0; c <= 0x10ffff; ++c) {
        if (!is_scalar(c)) continue;
        const auto text = encode(c);
        ASSERT_EQ(is_printable(text), !harms_a_terminal(c)) << std::hex << c;
        ASSERT_EQ(printable(text) == text, !harms_a_terminal(c)) << std::hex << c;
    }
}

TEST(printable, finds_a_single_control_wherever_it_stands) {
    for (const auto& text : surrounded("\x1b")) ASSERT_FALSE(is_printable(text));
    for (const auto& text : surrounded("\x7f")) ASSERT_FALSE(is_printable(text));
    for (const auto& text : surrounded("\t\u00fc")) ASSERT_TRUE(is_printable(text));
}

TEST(printable, copies_only_where_it_must) {
    std::string scratch = "old";
    const std::string good = "gr\u00fc\u00df";
    EXPECT_EQ(printable(good, scratch).data(), good.data());
    const auto shown = printable("\x1b", scratch);
    EXPECT_EQ(shown, "\\x1b");
    EXPECT_EQ(shown.data(), scratch.data());
    std::string out = "[Client 1]: ";
    append_printable(out, "\x01");
    EXPECT_EQ(out, "[Client 1]: \\x01");
}

/// Bytes in which valid, broken and harmful pieces are all likely.
std::string random_text(std::mt19937& random) {
    static const std::vector<std::string> pieces = {
        "a",        "bc ",        "\t",       "\n",
        "\x1b",     "\x7f",       "\u0085",   "\u00fc",
        "\u20ac",   "\u202e",     "\u2066",   "\xff",
        "\x80",     "\xc3",       "\xe2",     "\xe2\x80",
        "\xf0\x9f", "\xed\xa0",   "\xf4\x90", "\xc0",
        "\u2028",   "\U0001f600", "\\x1b",    "a whole run of ordinary text, longer than a block "};
    std::string out;
    for (std::size_t i = random() % 20; i > 0; --i) {
        if (random() % 5 == 0) {
            out.push_back(static_cast<char>(random() & 0xff));
        } else {
            out += pieces[random() % pieces.size()];
        }
    }
    return out;
}

TEST(any_text, is_safe_once_printable_and_valid_once_replaced) {
    for (std::uint32_t seed = 0; seed < 20'000; ++seed) {
        std::mt19937 random{seed};
        const auto text = random_text(random);
        SCOPED_TRACE(seed);

        const auto shown = printable(text);
        ASSERT_TRUE(is_valid_utf8(shown));
        for (const auto c : decode(shown)) ASSERT_FALSE(harms_a_terminal(c));
        ASSERT_TRUE(is_printable(shown));
        ASSERT_EQ(printable(shown), shown);
        ASSERT_EQ(is_printable(text), shown == text);

        const auto replaced = replace_invalid_utf8(text);
        ASSERT_TRUE(is_valid_utf8(replaced));
        ASSERT_EQ(replace_invalid_utf8(replaced), replaced);
        ASSERT_EQ(is_valid_utf8(text), replaced == text);

        const std::size_t max = random() % (replaced.size() + 2);
        const auto cut = truncate_utf8(replaced, max);
        ASSERT_TRUE(replaced.starts_with(cut));
        ASSERT_TRUE(is_valid_utf8(cut));
        ASSERT_LE(cut.size(), max);
        ASSERT_GT(cut.size() + 4, std::min(max, replaced.size()));
    }
}

}  // namespace
}  // namespace sluice::wire
