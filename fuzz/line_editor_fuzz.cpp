// Any bytes typed, split anywhere, while lines arrive: the same line, and a screen in order.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/term/line_editor.hpp"
#include "sluice/term/line_editor_view.hpp"
#include "sluice/wire/text.hpp"
#include "tests/term/line_editor_terminal.hpp"

namespace sluice::fuzz::line_editor_target {
namespace {

using namespace sluice::term;
using sluice::check;

/// The input: a byte each for the width and the height of the window, one for the number of pieces
/// in the plan, then a byte for each piece (its length, and in the top bit whether a line arrives
/// after it), and the rest is what is typed. The plan is repeated until all is typed.
struct script {
    std::size_t columns = 0;
    std::size_t rows = 0;
    std::vector<std::uint8_t> plan;
    std::string_view typed;
};

script script_of(std::string_view input) {
    const auto take = [&input] { return take_byte(input); };
    script out;
    out.columns = 4 + take() % 64U;
    out.rows = 2 + take() % 16U;
    out.plan.resize(take() % 32U);
    for (auto& piece : out.plan) piece = take();
    // A plan of empty pieces would never end.
    if (std::ranges::all_of(out.plan, [](auto piece) { return (piece & 0x7fU) == 0; })) {
        out.plan.push_back(1);
    }
    out.typed = input;
    return out;
}

constexpr line_editor::limits small{.line = 256, .history_lines = 4, .history_characters = 512};

/// Types all of it at once.
line_editor type_whole(std::string_view bytes, std::vector<std::string>& lines) {
    line_editor editor{small};
    editor.feed(bytes, lines);
    return editor;
}

/// The screen, and all that is to stand on it above the line that is typed.
class screen {
 public:
    explicit screen(const script& s) : terminal_{s.columns, s.rows} {
        view_.resize(s.columns, s.rows);
    }

    void show(const line_editor& editor, std::string_view news) {
        std::string out;
        view_.erase(out);
        terminal_.write(out);
        check(terminal_.text() == above_.text(), "the typed line left something behind");
        check(terminal_.column() == 0, "the cursor is not at the beginning of a row");
        out = news;
        view_.draw(out, "> ", editor);
        terminal_.write(out);
        above_.write(news);
        check(terminal_.text().starts_with(without_empty_end(above_.text())),
              "a line that had arrived was torn");
    }

 private:
    static std::string without_empty_end(std::string text) {
        text.erase(text.find_last_not_of('\n') + 1);
        return text;
    }

    plain_terminal terminal_;
    plain_terminal above_{terminal_};
    line_editor_view view_;
};

line_editor type_in_pieces(const script& s, std::vector<std::string>& lines) {
    line_editor editor{small};
    screen on{s};
    on.show(editor, {});
    std::size_t at = 0;
    // To look at the whole screen is slow: not after each byte of a long input.
    const std::size_t least = s.typed.size() / 64;
    for (std::size_t i = 0; at < s.typed.size(); i = (i + 1) % s.plan.size()) {
        const std::size_t wanted = std::max<std::size_t>(s.plan[i] & 0x7fU, least);
        const std::size_t length = std::min(wanted, s.typed.size() - at);
        // In memory of its own, so that a look beyond its end is seen.
        const std::vector<char> leased{s.typed.begin() + static_cast<std::ptrdiff_t>(at),
                                       s.typed.begin() + static_cast<std::ptrdiff_t>(at + length)};
        const std::size_t before = lines.size();
        editor.feed({leased.data(), leased.size()}, lines);
        at += length;
        check(editor.cursor() <= editor.text().size(), "the cursor is beyond the line");
        std::string news;
        for (std::size_t n = before; n < lines.size(); ++n) {
            check(lines[n].size() <= small.line, "an entry is over the limit");
            check(sluice::wire::is_valid_utf8(lines[n]), "an entry is no UTF-8");
            check(lines[n].find_first_of("\r\x1b") == std::string::npos, "no text at all");
            for (const auto line : std::views::split(lines[n], '\n')) {
                sluice::wire::append_printable(news, std::string_view{line.begin(), line.end()});
                news += "\r\n";
            }
            std::ranges::replace(news, '\t', ' ');  // this terminal has no tabs
        }
        if ((s.plan[i] & 0x80U) != 0) news += "[bob]: something to read\r\n";
        on.show(editor, news);
    }
    return editor;
}

}  // namespace

void examine(std::string_view input) {
    const script s = script_of(input);
    std::vector<std::string> lines;
    std::vector<std::string> lines_of_whole;
    const auto split = type_in_pieces(s, lines);
    const auto whole = type_whole(s.typed, lines_of_whole);
    check(lines == lines_of_whole, "the split changed the lines");
    check(split.text() == whole.text() && split.cursor() == whole.cursor() &&
              split.ended() == whole.ended() && split.searching() == whole.searching() &&
              split.wanted() == whole.wanted(),
          "the split changed the line");
}

}  // namespace sluice::fuzz::line_editor_target
