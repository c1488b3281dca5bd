// A line drawn and taken away, with other lines in between, on a terminal that can be read.
#include "sluice/term/line_editor_view.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/term/line_editor_terminal.hpp"

namespace sluice::term {
namespace {

/// A user types while lines arrive.
class ui {
 public:
    ui(std::size_t columns, std::size_t rows) : terminal_{columns, rows} {
        view_.resize(columns, rows);
        draw();
    }

    void type(std::string_view bytes) {
        std::string out;
        view_.erase(out);
        std::vector<std::string> lines;
        editor_.feed(bytes, lines);
        for (const auto& line : lines) out += "> " + line + "\r\n";
        terminal_.write(out);
        draw();
    }
    void arrive(std::string_view line) {
        std::string out;
        view_.erase(out);
        out.append(line).append("\r\n");
        terminal_.write(out);
        draw();
    }
    void keep() {
        std::string out;
        view_.keep(out);
        terminal_.write(out);
    }
    void resize(std::size_t columns, std::size_t rows) {
        terminal_.resize(columns, rows);
        view_.resize(columns, rows);
        std::string out;
        view_.erase(out);
        terminal_.write(out);
        draw();
    }
    void draw() {
        std::string out;
        view_.draw(out, "> ", editor_);
        terminal_.write(out);
    }

    [[nodiscard]] std::string seen() const { return terminal_.text(); }
    [[nodiscard]] std::size_t row() const { return terminal_.row(); }
    [[nodiscard]] std::size_t column() const { return terminal_.column(); }

 private:
    plain_terminal terminal_;
    line_editor editor_;
    line_editor_view view_;
};

TEST(line_editor_view, keeps_a_line_whole_that_others_arrive_beside) {
    ui d{20, 10};
    d.type("hel");
    d.arrive("[bob]: hi");
    d.type("lo");
    EXPECT_EQ(d.seen(), "[bob]: hi\n> hello\n");
    EXPECT_EQ(d.row(), 1U);
    EXPECT_EQ(d.column(), 7U);
    d.type("\x1b[D\x1b[D");
    d.arrive("[eve]: a message that is longer than the window");
    EXPECT_EQ(d.seen(),
              "[bob]: hi\n[eve]: a message tha\nt is longer than the\n window\n> hello\n");
    EXPECT_EQ(d.column(), 5U);
    d.type("\r");
    EXPECT_EQ(d.seen(),
              "[bob]: hi\n[eve]: a message tha\nt is longer than the\n window\n> hello\n>\n");
}

TEST(line_editor_view, draws_a_line_wider_than_the_window_on_rows) {
    ui d{10, 10};
    d.type("abcdefghijklmnopq");
    EXPECT_EQ(d.seen(), "> abcdefg\nhijklmnop\nq\n");
    d.arrive("[bob]: hi");
    EXPECT_EQ(d.seen(), "[bob]: hi\n> abcdefg\nhijklmnop\nq\n");
    EXPECT_EQ(d.row(), 3U);
    EXPECT_EQ(d.column(), 1U);
    d.type("\x01");
    EXPECT_EQ(d.row(), 1U);
    EXPECT_EQ(d.column(), 2U);
    d.arrive("[bob]: ha");
    EXPECT_EQ(d.seen(), "[bob]: hi\n[bob]: ha\n> abcdefg\nhijklmnop\nq\n");
    d.type("\x0b");
    EXPECT_EQ(d.seen(), "[bob]: hi\n[bob]: ha\n>\n");
    d.type("\x19\x15");
    EXPECT_EQ(d.seen(), "[bob]: hi\n[bob]: ha\n>\n");
}

TEST(line_editor_view, breaks_no_wide_character) {
    ui d{10, 10};
    d.type("abcdef\u65e5\u672cx");
    EXPECT_EQ(d.seen(), "> abcdef\n\u65e5\u672cx\n");
    EXPECT_EQ(d.column(), 5U);
    d.type("\x1b[D\x1b[D");
    EXPECT_EQ(d.row(), 1U);
    EXPECT_EQ(d.column(), 2U);
    d.type("\x1b[D");
    EXPECT_EQ(d.row(), 1U);
    EXPECT_EQ(d.column(), 0U) << "on the character, which stands on the second row";
    d.arrive("[bob]: hi");
    EXPECT_EQ(d.seen(), "[bob]: hi\n> abcdef\n\u65e5\u672cx\n");
}

TEST(line_editor_view, puts_marks_on_their_characters) {
    ui d{10, 10};
    d.type("abcdefe\u0301g");
    EXPECT_EQ(d.seen(), "> abcdefe\u0301\ng\n");
}

TEST(line_editor_view, breaks_no_emoji_and_knows_how_wide_it_is) {
    ui d{10, 10};
    const std::string family = "\U0001f468\u200d\U0001f469\u200d\U0001f466";
    d.type("a" + family + "\u2764\ufe0f!");
    EXPECT_EQ(d.seen(), "> a" + family + "\u2764\ufe0f!\n");
    EXPECT_EQ(d.column(), 8U);
    d.type("\U0001f1e9\U0001f1ea");
    EXPECT_EQ(d.seen(), "> a" + family + "\u2764\ufe0f!\n\U0001f1e9\U0001f1ea\n");
    EXPECT_EQ(d.column(), 2U);
    d.type("\x7f\x7f\x7f\x7f");
    EXPECT_EQ(d.seen(), "> a\n");
    EXPECT_EQ(d.column(), 3U);
}

TEST(line_editor_view, shows_the_part_around_the_cursor_of_what_the_window_cannot_hold) {
    ui d{10, 4};
    d.arrive("[bob]: hi");
    d.type("0aaaaaa1bbbbbbbb2cccccccc3dddddddd4e");
    EXPECT_EQ(d.seen(), "[bob]: hi\n2cccccccc\n3dddddddd\n4e\n");
    d.type("\x01");
    EXPECT_EQ(d.seen(), "[bob]: hi\n> 0aaaaaa\n1bbbbbbbb\n2cccccccc\n");
    EXPECT_EQ(d.row(), 1U);
    d.arrive("[bob]: ha");
    EXPECT_EQ(d.seen(), "[bob]: hi\n[bob]: ha\n> 0aaaaaa\n1bbbbbbbb\n2cccccccc\n");
}

TEST(line_editor_view, shows_line_ends_of_a_paste_and_what_would_harm) {
    ui d{40, 10};
    d.type("\x1b[200~one\rtwo\tx\x1b[201~\u202e!");
    EXPECT_EQ(d.seen(), "> one\u21b5two x\ufffd!\n");
}

TEST(line_editor_view, shows_what_is_searched_for) {
    ui d{40, 10};
    d.type("apple\r\x12pp");
    EXPECT_EQ(d.seen(), "> apple\n(search: pp) apple\n");
    EXPECT_EQ(d.column(), 14U);
}

TEST(line_editor_view, follows_the_window) {
    ui d{30, 10};
    d.arrive("[bob]: hi");
    d.type("abcdefghijklmnopqrstuvwx");
    d.resize(10, 10);
    EXPECT_EQ(d.seen(), "[bob]: hi\n> abcdefg\nhijklmnop\nqrstuvwx\n");
    d.resize(12, 10);
    EXPECT_EQ(d.seen(), "[bob]: hi\n> abcdefghi\njklmnopqrst\nuvwx\n");
    d.type("\x01");
    d.resize(9, 10);
    EXPECT_EQ(d.seen(), "[bob]: hi\n> abcdef\nghijklmn\nopqrstuv\nwx\n");
    d.resize(60, 10);
    EXPECT_EQ(d.seen(), "[bob]: hi\n> abcdefghijklmnopqrstuvwx\n");
    d.type("\x05");
    d.resize(13, 10);
    EXPECT_EQ(d.seen(), "[bob]: hi\n> abcdefghij\nklmnopqrstuv\nwx\n");
    d.resize(26, 10);
    d.resize(13, 10);
    EXPECT_EQ(d.seen(), "[bob]: hi\n> abcdefghij\nklmnopqrstuv\nwx\n");
}

TEST(line_editor_view, ends_exactly_where_a_narrower_window_does) {
    ui d{30, 10};
    d.type("abcdefghijklmnopqr");  // 20 columns with the prompt
    d.resize(10, 10);
    d.arrive("[bob]: hi");
    EXPECT_EQ(d.seen(), "[bob]: hi\n> abcdefg\nhijklmnop\nqr\n");
}

TEST(line_editor_view, takes_a_window_that_says_nothing_of_its_size_for_a_usual_one) {
    line_editor_view view;
    view.resize(0, 0);
    line_editor editor;
    std::vector<std::string> lines;
    editor.feed(std::string(100, 'x'), lines);
    std::string out;
    view.draw(out, "> ", editor);
    EXPECT_EQ(out, "> " + std::string(77, 'x') + "\r\n" + std::string(23, 'x'));
}

TEST(line_editor_view, leaves_a_line_that_was_begun) {
    ui d{10, 10};
    d.type("abcdefghijkl\x01");
    d.keep();
    d.draw();
    EXPECT_EQ(d.seen(), "> abcdefg\nhijkl\n> abcdefg\nhijkl\n");
}

TEST(line_editor_view, lives_in_a_window_of_one_column) {
    line_editor_view view;
    view.resize(1, 1);
    line_editor editor;
    std::vector<std::string> lines;
    editor.feed("\u65e5\u672c\u8a9e", lines);
    std::string out;
    view.draw(out, "> ", editor);
    view.erase(out);
    EXPECT_FALSE(out.empty());
}

}  // namespace
}  // namespace sluice::term
