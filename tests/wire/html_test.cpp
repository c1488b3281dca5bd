// No text becomes markup, and what HTML cannot hold is shown by its symbol.
#include "sluice/wire/html.hpp"

#include <gtest/gtest.h>

namespace sluice::wire {
namespace {

TEST(escape_html, leaves_no_markup_no_control_and_no_invalid_utf8) {
    EXPECT_EQ(escape_html("plain \xc3\xa4"), "plain \xc3\xa4");
    EXPECT_EQ(escape_html("<a href=\"'\">&"), "&lt;a href=&quot;&#39;&quot;&gt;&amp;");
    EXPECT_EQ(escape_html("\n\x1b\x7f"), "\u240a\u241b\u2421");
    EXPECT_EQ(escape_html("\xff"), "\ufffd");
}

}  // namespace
}  // namespace sluice::wire
