// A terminal without a screen: does what a line_editor_view writes, as xterm and its relatives do.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/check.hpp"
#include "sluice/term/grapheme.hpp"
#include "sluice/term/line_editor.hpp"
#include "sluice/term/line_editor_keys.hpp"

namespace sluice::term {

/// Rows that can be read, the scrolled ones too. Wraps after its last column, and wraps anew what
/// it had wrapped, or what no longer fits, when its width changes. Aborts on a sequence that it
/// does not know.
class plain_terminal {
 public:
    plain_terminal(std::size_t columns, std::size_t rows) : columns_{columns}, rows_{rows} {}

    void resize(std::size_t columns, std::size_t rows) {
        columns_ = columns;
        rows_ = rows;
        // Behind the last character of a full row, a cursor stands on it.
        full_ = at_ > 0 && at_ == lines_[line_].size() && at_ % columns_ == 0;
    }

    void write(std::string_view bytes) {
        // The same decoder as for keys: a character is one, whichever way it goes.
        for (std::size_t i = 0; i < bytes.size();) {
            if (static_cast<unsigned char>(bytes[i]) < 0x20) last_.clear();
            if (bytes[i] == '\x1b') {
                i = obey(bytes, i + 1);
            } else if (bytes[i] == '\r') {
                at_ = row_of_cursor() * columns_;
                full_ = false;
                ++i;
            } else if (bytes[i] == '\n') {
                line_feed();
                ++i;
            } else {
                std::vector<key> one;
                const std::size_t length = length_at(bytes, i);
                key_reader reader;
                reader.feed(bytes.substr(i, length), one);
                check(one.size() == 1 && one[0].kind == key_kind::text, "no character");
                put(one[0].text);
                i += length;
            }
        }
    }

    /// Every row without its trailing spaces, a line each; trailing empty rows are left out.
    [[nodiscard]] std::string text() const {
        std::string out;
        std::string held;
        for (const auto& line : lines_) {
            for (std::size_t row = 0; row < rows_in(line); ++row) {
                std::string one;
                const std::size_t end = std::min(line.size(), (row + 1) * columns_);
                for (std::size_t i = row * columns_; i < end; ++i) one += line[i];
                one.erase(one.find_last_not_of(' ') + 1);
                if (!one.empty()) out += std::exchange(held, {}) += one;
                (one.empty() ? held : out) += '\n';
            }
        }
        return out;
    }
    /// From the left, 0 first.
    [[nodiscard]] std::size_t column() const { return full_ ? columns_ - 1 : at_ % columns_; }
    /// From the first row that text() gives.
    [[nodiscard]] std::size_t row() const {
        std::size_t rows = row_of_cursor();
        for (std::size_t i = 0; i < line_; ++i) rows += rows_in(lines_[i]);
        return rows;
    }

 private:
    // A logical line: a string a column, "" in the second column of a wide character.
    using logical_line = std::vector<std::string>;

    [[nodiscard]] std::size_t rows_in(const logical_line& l) const {
        return std::max<std::size_t>(1, (l.size() + columns_ - 1) / columns_);
    }
    [[nodiscard]] std::size_t row_of_cursor() const {
        return full_ ? (at_ - 1) / columns_ : at_ / columns_;
    }
    [[nodiscard]] std::size_t all_rows() const {
        std::size_t rows = 0;
        for (const auto& each : lines_) rows += rows_in(each);
        return rows;
    }

    static std::size_t length_at(std::string_view bytes, std::size_t i) {
        const auto first = static_cast<unsigned char>(bytes[i]);
        if (first < 0x80) return 1;
        if (first < 0xe0) return 2;
        return first < 0xf0 ? 3 : 4;
    }

    void put(char32_t c) {
        std::string bytes;
        append_utf8(bytes, c);
        // As terminals that know grapheme clusters do: the last one may grow, and become wide.
        std::u32string grown = last_ + c;
        if (!last_.empty() && next_grapheme(grown, 0) == grown.size()) {
            const auto before = columns_of(last_);
            last_ = std::move(grown);
            append_to_last(bytes, columns_of(last_) - before);
            return;
        }
        last_ = std::u32string(1, c);
        logical_line& here = lines_[line_];
        const std::size_t width = columns_of(c);
        if (width == 0) return;  // a mark without a character is not shown
        full_ = false;
        if (at_ % columns_ + width > columns_) at_ += columns_ - at_ % columns_;
        if (here.size() < at_ + width) here.resize(at_ + width, " ");
        here[at_] = bytes;
        if (width == 2) here[at_ + 1] = "";
        at_ += width;
        full_ = at_ % columns_ == 0;
    }

    void append_to_last(const std::string& bytes, std::size_t more_columns) {
        logical_line& here = lines_[line_];
        if (at_ == 0 || here.empty()) return;
        std::size_t on = std::min(at_, here.size()) - 1;
        while (on > 0 && here[on].empty()) --on;
        here[on] += bytes;
        if (more_columns == 0) return;
        at_ += more_columns;
        if (here.size() < at_) here.resize(at_);
        full_ = at_ % columns_ == 0;
    }

    void line_feed() {
        const std::size_t x = column();
        const std::size_t next = row_of_cursor() + 1;
        full_ = false;
        if (next < rows_in(lines_[line_])) {
            at_ = next * columns_ + x;
            return;
        }
        if (++line_ == lines_.size()) lines_.emplace_back();
        at_ = x;
    }

    void go_to_row(std::size_t row, std::size_t x) {
        full_ = false;
        line_ = 0;
        while (row >= rows_in(lines_[line_])) row -= rows_in(lines_[line_++]);
        at_ = row * columns_ + x;
    }

    std::size_t obey(std::string_view bytes, std::size_t i) {
        check(i < bytes.size() && bytes[i] == '[', "no sequence");
        const std::size_t begin = ++i;
        while (i < bytes.size() && (bytes[i] < '@' || bytes[i] > '~')) ++i;
        check(i < bytes.size(), "a sequence without its end");
        const auto parameter = bytes.substr(begin, i - begin);
        const auto count = parameter.empty() ? 1 : std::stoul(std::string{parameter});
        switch (bytes[i]) {
            case 'A': {
                const std::size_t all = all_rows();
                const std::size_t top = all > rows_ ? all - rows_ : 0;
                go_to_row(std::max(top, row() - std::min(row(), count)), column());
                break;
            }
            case 'B': go_to_row(std::min(all_rows() - 1, row() + count), column()); break;
            case 'C': at_ += std::min(count, columns_ - 1 - column()); break;
            case 'J': {
                check(parameter.empty(), "ED with a parameter");
                logical_line& here = lines_[line_];
                if (here.size() > at_) here.resize(at_);
                lines_.resize(line_ + 1);
                break;
            }
            default: check(false, "a sequence that is not known");
        }
        return i + 1;
    }

    std::size_t columns_;
    std::size_t rows_;
    std::vector<logical_line> lines_{1};
    std::size_t line_ = 0;
    std::size_t at_ = 0;
    std::u32string last_;  // the cluster before the cursor, if it was written last
    bool full_ = false;    // the last column is written, and nothing has wrapped yet
};

}  // namespace sluice::term
