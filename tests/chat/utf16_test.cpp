// The UTF-16 buffer gives code points: pairs of surrogates as one, and halves as they are.
#include "sluice/chat/server/utf16.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace sluice::chat {
namespace {

using ::testing::ElementsAre;

std::vector<UChar32> code_points(std::initializer_list<UChar> units) {
    text16 text;
    std::ranges::copy(units, text.units.begin());
    text.size = static_cast<std::int32_t>(units.size());
    std::vector<UChar32> found;
    text.for_each([&found](UChar32 c) { found.push_back(c); });
    return found;
}

TEST(utf16, a_pair_is_one_code_point) {
    EXPECT_THAT(code_points({u'a', 0xd83d, 0xde00, u'b'}), ElementsAre(u'a', 0x1f600, u'b'));
    EXPECT_THAT(code_points({0xd800, 0xdc00, 0xdbff, 0xdfff}), ElementsAre(0x10000, 0x10ffff));
}

TEST(utf16, half_a_pair_takes_nothing_from_what_follows) {
    EXPECT_THAT(code_points({0xd83d, u'b', u'c'}), ElementsAre(0xd83d, u'b', u'c'));
    EXPECT_THAT(code_points({0xd83d, 0xd83d, 0xde00}), ElementsAre(0xd83d, 0x1f600));
    EXPECT_THAT(code_points({0xde00, u'b'}), ElementsAre(0xde00, u'b'));
    EXPECT_THAT(code_points({u'a', 0xd83d}), ElementsAre(u'a', 0xd83d));
}

TEST(utf16, what_is_appended_is_read_back) {
    text16 text;
    for (const UChar32 c : {0x61, 0xffff, 0x10000, 0x10ffff}) text.append(c);
    std::vector<UChar32> found;
    text.for_each([&found](UChar32 c) { found.push_back(c); });
    EXPECT_THAT(found, ElementsAre(0x61, 0xffff, 0x10000, 0x10ffff));
}

}  // namespace
}  // namespace sluice::chat
