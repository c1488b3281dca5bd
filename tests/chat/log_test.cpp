// A room's log beside a plain list of lines: what it keeps, where lines start, and who wrote them.
#include "sluice/chat/server/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::chat {
namespace {

constexpr std::size_t page = 4096;

log make_log(std::size_t window = page) {
    return log{window};
}

std::string all_of(const log& l) {
    return std::string{l.view(l.begin(), l.end())};
}

TEST(chat_author, is_a_member_and_what_the_line_is) {
    EXPECT_EQ(author::speaking(7).who(), 7U);
    EXPECT_FALSE(author::speaking(7).is_announcement());
    EXPECT_EQ(author::announced(7).who(), 7U);
    EXPECT_TRUE(author::announced(7).is_announcement());
    EXPECT_NE(author::speaking(7), author::announced(7));
    EXPECT_NE(author::speaking(7), author::speaking(8));
}

TEST(chat_log, empty) {
    const log l = make_log();
    EXPECT_EQ(l.begin(), 0U);
    EXPECT_EQ(l.end(), 0U);
    EXPECT_EQ(l.window(), page);
    EXPECT_TRUE(l.starts_line(0));
    EXPECT_EQ(l.line_start_from(0), 0U);
    EXPECT_EQ(l.last_words(5, page).lines, 0U);
    EXPECT_EQ(l.last_words(5, page).from, 0U);
    const auto none = l.find_stretch(0, [](author) { return true; });
    EXPECT_EQ(none.from, none.to);
    EXPECT_EQ(l.begin_after(page), 0U);
}

TEST(chat_log, takes_memory_for_what_was_written) {
    log l = make_log(1 << 20);
    EXPECT_EQ(l.capacity(), 0U);
    std::string written;
    for (std::size_t i = 0; l.end() < 300'000; ++i) {
        const std::string line = "line " + std::to_string(i) + "\n";
        l.append(author::speaking(i / 3), {line});
        written += line;
        EXPECT_LE(l.capacity(), std::max<std::size_t>(256, 2 * l.end()) > 16384
                                    ? 1U << 20
                                    : std::max<std::size_t>(256, 2 * l.end()));
    }
    EXPECT_EQ(all_of(l), written);
    EXPECT_EQ(l.capacity(), l.window());
    EXPECT_EQ(l.stretch_at(0).by, author::speaking(0));
}

TEST(chat_log, without_addresses_for_a_ring_it_stays_in_the_heap) {
    // More than x86-64 has addresses for.
    log l = make_log(std::size_t{1} << 46);
    while (l.end() < 200'000) l.append(author::speaking(1), {"a line of some length\n"});
    EXPECT_EQ(l.begin(), 0U);
    EXPECT_TRUE(l.view(l.begin(), l.end()).ends_with("length\n"));
    EXPECT_EQ(l.lines_by_others(2, l.begin(), l.end()), (l.end() - l.begin()) / 22);
}

TEST(chat_log, joins_the_pieces_of_a_line) {
    log l = make_log();
    l.append(author::speaking(1), {"[", "Ann", "]: ", "hello", "\n"});
    EXPECT_EQ(all_of(l), "[Ann]: hello\n");
}

TEST(chat_log, a_line_as_long_as_the_window_takes_it_all) {
    log l = make_log();
    l.append(author::speaking(1), {"before\n"});
    const std::string whole = std::string(page - 1, 'x') + "\n";
    l.append(author::speaking(2), {whole});
    EXPECT_EQ(all_of(l), whole);
    EXPECT_EQ(l.begin(), 7U);
    l.append(author::speaking(3), {"after\n"});
    EXPECT_EQ(all_of(l), "after\n");
    EXPECT_EQ(l.stretch_at(l.begin()).by, author::speaking(3));
}

/// What the log should hold: whole lines, each with its place and author.
class plain_log {
 public:
    struct line {
        position from = 0;
        position to = 0;
        author by;
        std::string text;
    };

    explicit plain_log(std::size_t window) : window_{window} {}

    void append(author by, const std::string& text) {
        std::size_t length = 0;
        for (std::size_t at = 0; at < text.size(); at += length) {
            length = text.find('\n', at) + 1 - at;
            lines_.push_back(
                {.from = end_, .to = end_ + length, .by = by, .text = text.substr(at, length)});
            end_ += length;
        }
        while (end_ - lines_.front().from > window_) lines_.pop_front();
    }
    [[nodiscard]] position begin() const { return lines_.empty() ? end_ : lines_.front().from; }
    [[nodiscard]] position end() const { return end_; }
    [[nodiscard]] const std::deque<line>& lines() const { return lines_; }
    [[nodiscard]] std::string text() const {
        std::string all;
        for (const auto& l : lines_) all += l.text;
        return all;
    }
    [[nodiscard]] position begin_after(std::size_t length) const {
        for (const auto& l : lines_) {
            if (end_ + length - l.from <= window_) return l.from;
        }
        return end_;
    }
    [[nodiscard]] bool starts_line(position p) const {
        return p == end_ || std::any_of(lines_.begin(), lines_.end(),
                                        [p](const line& l) { return l.from == p; });
    }
    [[nodiscard]] position line_start_from(position p) const {
        for (const auto& l : lines_) {
            if (l.from >= p) return l.from;
        }
        return end_;
    }
    [[nodiscard]] log::tail last_words(std::size_t wanted, std::size_t within) const {
        log::tail found{.from = end_, .lines = 0};
        for (auto l = lines_.rbegin(); l != lines_.rend() && found.lines < wanted; ++l) {
            if (end_ - l->from > within) break;
            if (!l->by.is_announcement()) found = {.from = l->from, .lines = found.lines + 1};
        }
        return found;
    }
    [[nodiscard]] log::stretch stretch_at(position p) const {
        std::size_t first = 0;
        while (lines_[first].to <= p) ++first;
        std::size_t last = first;
        while (first > 0 && lines_[first - 1].by == lines_[first].by) --first;
        while (last + 1 < lines_.size() && lines_[last + 1].by == lines_[last].by) ++last;
        return {.from = lines_[first].from, .to = lines_[last].to, .by = lines_[first].by};
    }
    template <class Wanted>
    [[nodiscard]] log::stretch find_stretch(position p, Wanted wanted) const {
        for (const auto& l : lines_) {
            if (l.to > p && wanted(l.by)) return stretch_at(l.from);
        }
        return {.from = end_, .to = end_, .by = {}};
    }
    [[nodiscard]] std::size_t lines_by_others(member_id id, position from, position to) const {
        return static_cast<std::size_t>(std::count_if(
            lines_.begin(), lines_.end(),
            [&](const line& l) { return l.from >= from && l.to <= to && l.by.who() != id; }));
    }

 private:
    std::deque<line> lines_;
    std::size_t window_;
    position end_ = 0;
};

void expect_same(const log::stretch& got, const log::stretch& wanted) {
    EXPECT_EQ(got.from, wanted.from);
    EXPECT_EQ(got.to, wanted.to);
    EXPECT_EQ(got.by, wanted.by);
}

class chat_log_random : public ::testing::TestWithParam<std::uint64_t> {
 protected:
    std::size_t below(std::size_t limit) { return random_() % limit; }
    /// Mostly short lines; sometimes one that fills much of the window.
    std::string any_line() {
        const std::size_t most = below(50) == 0 ? page - 1 : below(5) == 0 ? 600 : 60;
        std::string text(below(most + 1), static_cast<char>('a' + below(26)));
        return text + "\n";
    }
    author any_author() {
        const member_id id = 1 + below(4);
        return below(3) == 0 ? author::announced(id) : author::speaking(id);
    }
    void append_something() {
        const author by = any_author();
        std::string text = any_line();
        while (below(4) == 0 && text.size() < page / 2) text += any_line();
        if (text.size() > page) text = text.substr(text.size() - page);
        log_.make_space(text.size());
        ASSERT_EQ(log_.begin_after(text.size()), plain_.begin_after(text.size()));
        const std::size_t cut = below(text.size() + 1);
        log_.append(by,
                    {std::string_view{text}.substr(0, cut), std::string_view{text}.substr(cut)});
        plain_.append(by, text);
    }
    void compare() {
        ASSERT_EQ(log_.begin(), plain_.begin());
        ASSERT_EQ(log_.end(), plain_.end());
        ASSERT_EQ(all_of(log_), plain_.text());
        const std::size_t length = log_.end() - log_.begin();
        for (int i = 0; i < 20; ++i) {
            const position p = log_.begin() + below(length + 1);
            ASSERT_EQ(log_.starts_line(p), plain_.starts_line(p)) << p;
            ASSERT_EQ(log_.line_start_from(p), plain_.line_start_from(p)) << p;
            if (p == log_.end()) continue;
            expect_same(log_.stretch_at(p), plain_.stretch_at(p));
            const author by = any_author();
            const auto is = [by](author a) { return a == by; };
            expect_same(log_.find_stretch(p, is), plain_.find_stretch(p, is));
            const auto announced = [](author a) { return a.is_announcement(); };
            expect_same(log_.find_stretch(p, announced), plain_.find_stretch(p, announced));
            const auto a = plain_.line_start_from(p);
            const auto b = plain_.line_start_from(a + below(log_.end() - a + 1));
            ASSERT_EQ(log_.lines_by_others(by.who(), a, b), plain_.lines_by_others(by.who(), a, b));
        }
        // A place from before the window: where the oldest line starts.
        if (log_.begin() > 0) {
            ASSERT_EQ(log_.line_start_from(below(log_.begin())), log_.begin());
        }
        for (const std::size_t wanted : {std::size_t{0}, std::size_t{1}, below(30), page}) {
            const std::size_t within = below(2) == 0 ? page : below(page + 1);
            const auto got = log_.last_words(wanted, within);
            const auto expected = plain_.last_words(wanted, within);
            ASSERT_EQ(got.lines, expected.lines) << wanted << " within " << within;
            ASSERT_EQ(got.from, expected.from) << wanted << " within " << within;
        }
    }

    log log_ = make_log();
    plain_log plain_{page};

 private:
    std::mt19937_64 random_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(seed, chat_log_random, ::testing::Range<std::uint64_t>(1, 9));

TEST_P(chat_log_random, is_what_a_list_of_lines_is) {
    for (int step = 0; step < 1500 && !HasFailure(); ++step) {
        ASSERT_NO_FATAL_FAILURE(append_something());
        ASSERT_NO_FATAL_FAILURE(compare()) << "after step " << step;
    }
    // It has been around several times, or nothing of the wrapping was seen.
    EXPECT_GT(log_.end(), 20 * page);
}

}  // namespace
}  // namespace sluice::chat
