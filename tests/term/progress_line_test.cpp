// The bar is as wide as asked, whatever the share, and a line that was drawn is cleared once.
#include "sluice/term/progress_line.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace sluice::term {
namespace {

TEST(progress_bar, fills_the_share) {
    EXPECT_EQ(progress_bar(0, 4), "[....]");
    EXPECT_EQ(progress_bar(0.5, 4), "[==..]");
    EXPECT_EQ(progress_bar(1, 4), "[====]");
    EXPECT_EQ(progress_bar(-1, 4), "[....]");
    EXPECT_EQ(progress_bar(7, 4), "[====]");
    EXPECT_EQ(progress_bar(0.5, 2, true), "[\033[32m=\033[0m\033[2m.\033[0m]");
}

TEST(progress_line, is_cleared_if_it_was_drawn) {
    std::string written;
    const auto write = [&written](std::string_view text) { written += text; };
    {
        const progress_line untouched{write};
    }
    EXPECT_EQ(written, "");
    {
        progress_line line{write};
        line.draw("one");
        line.draw("two");
        line.clear();
    }
    EXPECT_EQ(written, "\rone\033[K\rtwo\033[K\r\033[K");
}

TEST(progress_line, draws_nowhere_without_a_sink) {
    EXPECT_FALSE(progress_line{{}}.can_draw());
}

}  // namespace
}  // namespace sluice::term
