// What each key does to a line, however the bytes that it sends are split.
#include "sluice/term/line_editor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "sluice/term/grapheme.hpp"

namespace sluice::term {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::string_view up = "\x1b[A";
constexpr std::string_view down = "\x1b[B";

/// What typing led to.
struct outcome {
    std::vector<std::string> lines;
    std::string text;  // with a '|' where the cursor stands
    bool ended = false;
    bool searching = false;
    friend bool operator==(const outcome&, const outcome&) = default;
};

outcome outcome_of(const line_editor& editor, std::vector<std::string> lines) {
    outcome out{.lines = std::move(lines),
                .text = {},
                .ended = editor.ended(),
                .searching = editor.searching()};
    for (std::size_t i = 0; i <= editor.text().size(); ++i) {
        if (i == editor.cursor()) out.text += '|';
        if (i < editor.text().size()) append_utf8(out.text, editor.text()[i]);
    }
    return out;
}

outcome typed_in_pieces(std::string_view bytes, std::size_t size, line_editor editor) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < bytes.size(); at += size) {
        // In memory of its own, so that a look beyond its end is seen.
        const std::string piece{bytes.substr(at, size)};
        editor.feed(piece, lines);
    }
    return outcome_of(editor, lines);
}

/// Types all at once, and checks that any other way does the same.
outcome typed(std::string_view bytes, line_editor::limits most = {}) {
    const line_editor fresh{most};
    auto whole = typed_in_pieces(bytes, bytes.size() + 1, fresh);
    for (std::size_t size = 1; size < bytes.size(); ++size) {
        EXPECT_TRUE(typed_in_pieces(bytes, size, fresh) == whole) << "in pieces of " << size;
    }
    return whole;
}

std::string text_after(std::string_view bytes) {
    return typed(bytes).text;
}

std::vector<std::string> lines_after(std::string_view bytes) {
    return typed(bytes).lines;
}

std::string all_of(std::initializer_list<std::string_view> parts) {
    std::string out;
    for (const auto part : parts) out += part;
    return out;
}

TEST(line_editor, gives_each_line_at_its_end_and_begins_anew) {
    const auto got = typed("one\rtwo\nthr");
    EXPECT_THAT(got.lines, ElementsAre("one", "two"));
    EXPECT_EQ(got.text, "thr|");
}

TEST(line_editor, takes_both_halves_of_a_line_end_as_one) {
    EXPECT_THAT(lines_after("one\r\ntwo\r\n\n"), ElementsAre("one", "two", ""));
}

TEST(line_editor, moves_and_inserts) {
    struct move {
        std::string_view keys;
        std::string_view text;
    };
    for (const auto& [keys, text] : {
             move{"\x1b[D\x1b[Dx", "one two thrx|ee"},        // Left
             move{"\x02\x02x", "one two thrx|ee"},            // Ctrl-B
             move{"\x1b[D\x1b[D\x1b[Cx", "one two threx|e"},  // Right
             move{"\x02\x02\x06x", "one two threx|e"},        // Ctrl-F
             move{"\x1b[C", "one two three|"},
             move{"\x01x", "x|one two three"},    // Ctrl-A
             move{"\x1b[Hx", "x|one two three"},  // Home
             move{"\x1bOHx", "x|one two three"},
             move{"\x1b[1~x", "x|one two three"},
             move{"\x1b[7~x", "x|one two three"},
             move{"\x01\x1b[D", "|one two three"},
             move{"\x01\x05x", "one two threex|"},    // Ctrl-E
             move{"\x01\x1b[Fx", "one two threex|"},  // End
             move{"\x01\x1bOFx", "one two threex|"},
             move{"\x01\x1b[4~x", "one two threex|"},
             move{"\x01\x1b[8~x", "one two threex|"},
             move{"\x1b"
                  "bx",
                  "one two x|three"},                // Alt-B
             move{"\x1b[1;5Dx", "one two x|three"},  // Ctrl-Left
             move{"\x1b[1;3D\x1b[1;3Dx", "one x|two three"},
             move{"\x01\x1b"
                  "fx",
                  "onex| two three"},  // Alt-F
             move{"\x01\x1b[1;5C\x1b[1;5Cx", "one twox| three"},
         }) {
        EXPECT_EQ(text_after(all_of({"one two three", keys})), text) << keys;
    }
}

TEST(line_editor, erases) {
    struct erasure {
        std::string_view keys;
        std::string_view text;
    };
    for (const auto& [keys, text] : {
             erasure{"\x7f", "one two-thre|"},  // Backspace
             erasure{"\x08\x08", "one two-thr|"}, erasure{"\x01\x7f", "|one two-three"},
             erasure{"\x01\x1b[3~", "|ne two-three"},                                     // Delete
             erasure{"\x1b[3~", "one two-three|"}, erasure{"\x01\x04", "|ne two-three"},  // Ctrl-D
             erasure{"\x04", "one two-three|"}, erasure{"\x15", "|"},                     // Ctrl-U
             erasure{"\x1b[D\x15", "|e"},
             erasure{"\x1b"
                     "b\x0b",
                     "one two-|"},                                            // Ctrl-K
             erasure{"\x17", "one |"},                                        // Ctrl-W
             erasure{"\x17\x17\x17", "|"}, erasure{"\x1b\x7f", "one two-|"},  // Alt-Backspace
             erasure{"\x1b\x7f\x1b\x7f", "one |"},
             erasure{"\x01\x1b"
                     "d",
                     "| two-three"},                     // Alt-D
             erasure{"\x17\x01\x19", "two-three|one "},  // Ctrl-Y
         }) {
        EXPECT_EQ(text_after(all_of({"one two-three", keys})), text) << keys;
    }
}

TEST(line_editor, erases_whole_characters) {
    EXPECT_EQ(text_after("gr\u00fc\u00df\x7f"), "gr\u00fc|");
    EXPECT_EQ(text_after("\u65e5\u672c\x1b[D\x7f"), "|\u672c");
    EXPECT_EQ(text_after("ae\u0301\x7f"), "a|") << "a mark goes with what it stands on";
    EXPECT_EQ(text_after("ae\u0301\x1b[Dx"), "ax|e\u0301");
    EXPECT_EQ(text_after("e\u0301x\x01\x1b[3~"), "|x");
}

TEST(line_editor, ctrl_d_on_an_empty_line_ends_the_input) {
    const auto got = typed("one\r\x04two\r");
    EXPECT_THAT(got.lines, ElementsAre("one"));
    EXPECT_TRUE(got.ended);
    EXPECT_EQ(got.text, "|");
    EXPECT_FALSE(typed("x\x04").ended);
    EXPECT_TRUE(typed("x\x7f\x04").ended);
}

TEST(line_editor, goes_through_the_lines_before) {
    const std::string before = "one\rtwo\rtwo\rdraft";
    EXPECT_EQ(text_after(all_of({before, up})), "two|");
    EXPECT_EQ(text_after(all_of({before, up, up})), "one|") << "a line is remembered once in a row";
    EXPECT_EQ(text_after(all_of({before, up, up, up})), "one|");
    EXPECT_EQ(text_after(all_of({before, up, up, down})), "two|");
    EXPECT_EQ(text_after(all_of({before, up, up, down, down})), "draft|");
    EXPECT_EQ(text_after(all_of({before, down})), "draft|");
    EXPECT_EQ(text_after(all_of({before, "\x10\x10\x0e"})), "two|");
    EXPECT_EQ(text_after(all_of({before, "\x1bOA"})), "two|");
    EXPECT_THAT(lines_after(all_of({"one\r", up, "s\r", up, "\r"})),
                ElementsAre("one", "ones", "ones"));
    EXPECT_EQ(text_after(all_of({"one\r", up, "s\r", up, up})), "one|") << "it was not changed";
}

TEST(line_editor, forgets_the_oldest_lines) {
    EXPECT_EQ(typed(all_of({"one\rtwo\rthree\r", up, up, up, up}), {.history_lines = 2}).text,
              "two|");
    EXPECT_EQ(typed(all_of({"one\rtwo\rthree\r", up, up, up}), {.history_characters = 8}).text,
              "two|");
    EXPECT_EQ(typed(all_of({"one\r", up}), {.history_characters = 2}).text, "|");
}

TEST(line_editor, searches_the_lines_before) {
    const std::string before = "apple pie\rplum\rapple jam\rcherry\r";
    EXPECT_EQ(text_after(all_of({before,
                                 "\x12"
                                 "app"})),
              "|apple jam");
    EXPECT_EQ(text_after(all_of({before,
                                 "\x12"
                                 "app\x12"})),
              "|apple pie");
    EXPECT_EQ(text_after(all_of({before,
                                 "\x12"
                                 "app\x12\x12"})),
              "|apple pie");
    EXPECT_EQ(text_after(all_of({before, "\x12pi"})), "apple |pie");
    EXPECT_EQ(text_after(all_of({before,
                                 "\x12"
                                 "applx"})),
              "|apple jam")
        << "the last that fitted";
    EXPECT_EQ(text_after(all_of({before,
                                 "\x12"
                                 "applx\x7f e\x7f\x7f\x12"})),
              "|apple pie");
    EXPECT_EQ(text_after(all_of({before, "draft\x12plu\x07"})), "draft|");
    EXPECT_EQ(text_after(all_of({before, "\x12plu\x05s"})), "plums|")
        << "goes on with what it found";
    const auto got = typed(all_of({before, "\x12plu\r"}));
    EXPECT_THAT(got.lines, ElementsAre("apple pie", "plum", "apple jam", "cherry", "plum"));
    EXPECT_FALSE(got.searching);
    EXPECT_TRUE(typed("\x12").searching);
    EXPECT_EQ(text_after("x\x12y"), "x|") << "nothing to find";
}

TEST(line_editor, keeps_a_paste_together_until_enter) {
    const auto pasted = typed("a\x1b[200~one\rtwo\r\nthree\x01\x7f\x04\t.\x1b[201~");
    EXPECT_THAT(pasted.lines, IsEmpty()) << "a paste sends nothing and obeys nothing";
    EXPECT_EQ(pasted.text, "aone\ntwo\nthree\t.|");
    EXPECT_THAT(lines_after("\x1b[200~one\rtwo\x1b[201~!\r"), ElementsAre("one\ntwo!"));
    EXPECT_THAT(lines_after("\x1b[200~one\rtwo\r\x1b[201~\r"), ElementsAre("one\ntwo"));
    EXPECT_THAT(lines_after("\x1b[200~one\r\rtwo\x1b[201~\r"), ElementsAre("one\n\ntwo"));
    EXPECT_EQ(text_after("\x1b[200~\x1b[31mred\x1b[0m\x1b[201~"), "red|");
}

TEST(line_editor, passes_over_what_it_does_not_know) {
    EXPECT_EQ(text_after("a\x1b[15~\x1b[1;2P\x1bOPb\x1b[[Ac"), "abc|");
    EXPECT_EQ(text_after("a\x1b[38;5;123;1;2;3;4;5;6mb"), "ab|");
    EXPECT_EQ(text_after("a\x1b[<0;10;10Mb"), "ab|");
    EXPECT_EQ(text_after("a\x1bqb\x03\x1c\x1d\x1e\x1f\x14\tc"), "abc|");
    EXPECT_EQ(text_after("a\x1b\x1b[Db"), "b|a") << "an Escape before a sequence is none of it";
    EXPECT_THAT(lines_after("a\x1b[12\rb\x1bO\r"), ElementsAre("a", "b"));
    EXPECT_EQ(text_after("a\x1b\u00fc"), "a\u00fc|");
}

TEST(line_editor, replaces_what_is_no_utf_8) {
    EXPECT_EQ(text_after("a\xff"
                         "b"),
              "a\ufffd"
              "b|");
    EXPECT_EQ(text_after("a\xc3(b"), "a\ufffd(b|");
    EXPECT_EQ(text_after("\xe6\x97\xe6\x97\xa5"), "\ufffd\u65e5|");
    EXPECT_EQ(text_after("\xed\xa0\x80"), "\ufffd|") << "a surrogate";
    EXPECT_EQ(text_after("\xc2\x9b"
                         "31m"),
              "31m|")
        << "a control of C1 is no text";
    EXPECT_EQ(text_after("\xf0\x9f\x99\x82"), "\U0001f642|");
}

TEST(line_editor, takes_no_more_than_its_limit) {
    EXPECT_EQ(typed("abcdef", {.line = 4}).text, "abcd|");
    EXPECT_EQ(typed("ab\u65e5"
                    "c",
                    {.line = 4})
                  .text,
              "abc|")
        << "counted in bytes";
    EXPECT_EQ(typed("abcd\x7f"
                    "ef",
                    {.line = 4})
                  .text,
              "abce|");
    EXPECT_EQ(typed("abcd\x15xyzuv", {.line = 4}).text, "xyzu|");
    EXPECT_EQ(typed("ab\x15\x19\x19\x19", {.line = 4}).text, "abab|");
}

TEST(line_editor, says_once_that_the_screen_is_to_be_cleared) {
    line_editor editor;
    std::vector<std::string> lines;
    EXPECT_FALSE(editor.take_clear_screen());
    editor.feed(
        "ab\x0c"
        "c",
        lines);
    EXPECT_TRUE(editor.take_clear_screen());
    EXPECT_FALSE(editor.take_clear_screen());
    EXPECT_EQ(outcome_of(editor, {}).text, "abc|");
}

TEST(line_editor, reads_keys_again_when_the_end_of_a_paste_was_lost) {
    for (const std::string_view lost : {"", "\x1b", "\x1b[20", "\x1b[201"}) {
        line_editor editor;
        std::vector<std::string> lines;
        editor.feed(all_of({"\x1b[200~one\r", lost}), lines);
        EXPECT_TRUE(editor.in_paste());
        editor.end_paste();
        EXPECT_FALSE(editor.in_paste());
        editor.feed("\r", lines);
        EXPECT_THAT(lines, ElementsAre("one")) << lost;
    }
}

TEST(line_editor, says_once_that_something_was_not_taken) {
    line_editor editor{{.line = 2}};
    std::vector<std::string> lines;
    editor.feed("ab", lines);
    EXPECT_FALSE(editor.take_refused());
    editor.feed("cd", lines);
    EXPECT_TRUE(editor.take_refused());
    EXPECT_FALSE(editor.take_refused());
}

TEST(line_editor, erases_emoji_and_other_clusters_as_a_whole) {
    for (const std::string cluster :
         {"\u2764\ufe0f", "1\ufe0f\u20e3", "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea",
          "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
          "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
          "\U0001f3f3\ufe0f\u200d\U0001f308", "\u1112\u1161\u11ab", "a\u0301\u0323"}) {
        EXPECT_EQ(text_after("x" + cluster + "\x7f"), "x|") << cluster;
        EXPECT_EQ(text_after("x" + cluster + cluster + "\x7f"), "x" + cluster + "|") << cluster;
        EXPECT_EQ(text_after(cluster + "x\x01\x1b[3~"), "|x") << cluster;
        EXPECT_EQ(text_after("x" + cluster + "\x02\x02\x06!"), "x!|" + cluster) << cluster;
    }
    EXPECT_EQ(text_after("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7\U0001f1ee\x7f\x7f"),
              "\U0001f1e9\U0001f1ea|")
        << "flags go in pairs from the left";
}

TEST(grapheme, ends_and_begins_where_the_standard_says) {
    const std::u32string text =
        U"a\u0301\u65e5\U0001f44d\U0001f3fd\U0001f468\u200d\U0001f469\u200d\U0001f466b";
    const std::vector<std::size_t> boundaries{0, 2, 3, 5, 10, 11};
    for (std::size_t i = 1; i < boundaries.size(); ++i) {
        EXPECT_EQ(next_grapheme(text, boundaries[i - 1]), boundaries[i]);
        EXPECT_EQ(previous_grapheme(text, boundaries[i]), boundaries[i - 1]);
    }
    std::u32string marks(1000, U'\u0301');
    marks.insert(0, 1, 'e');
    EXPECT_EQ(next_grapheme(marks + U"x", 0), 1001U) << "longer than any window";
    EXPECT_EQ(previous_grapheme(marks, marks.size()), 0U);
    EXPECT_EQ(next_grapheme(U"\xd800", 0), 1U);
    EXPECT_EQ(next_grapheme(U"\u0601x", 0), 2U) << "what is prepended";
}

TEST(grapheme, takes_columns_as_terminals_give_them) {
    EXPECT_EQ(columns_of('a'), 1U);
    EXPECT_EQ(columns_of(U'\u00fc'), 1U);
    EXPECT_EQ(columns_of(U'\u65e5'), 2U);
    EXPECT_EQ(columns_of(U'\U0001f642'), 2U);
    EXPECT_EQ(columns_of(U'\u0301'), 0U);
    EXPECT_EQ(columns_of(U'\u200d'), 0U);
    EXPECT_EQ(columns_of(U'\u1161'), 0U) << "a vowel of Hangul joins its consonant";
    EXPECT_EQ(columns_of(U'\ufffd'), 1U);
    EXPECT_EQ(columns_of(0x10ffff), 1U) << "of what it does not know, one";
    EXPECT_EQ(columns_of(U"\u2764"), 1U);
    for (const std::u32string_view emoji :
         {U"\u2764\ufe0f", U"1\ufe0f\u20e3", U"\U0001f44d\U0001f3fd", U"\u261d\U0001f3fd",
          U"\U0001f1e9\U0001f1ea", U"\U0001f468\u200d\U0001f469\u200d\U0001f466",
          U"\U0001f3f3\ufe0f\u200d\U0001f308",
          U"\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
          U"\u1112\u1161\u11ab"}) {
        EXPECT_EQ(columns_of(emoji), 2U);
    }
    EXPECT_EQ(columns_of(U"e\u0301\u0323"), 1U);
}

}  // namespace
}  // namespace sluice::term
