// Base64url: the vectors of RFC 4648, and what is refused.
#include "sluice/auth/base64url.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace sluice::auth {
namespace {

using namespace std::string_view_literals;

TEST(base64url, is_that_of_rfc_4648) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 8> vectors{
        {{"", ""},
         {"f", "Zg"},
         {"fo", "Zm8"},
         {"foo", "Zm9v"},
         {"foob", "Zm9vYg"},
         {"fooba", "Zm9vYmE"},
         {"foobar", "Zm9vYmFy"},
         {"\xfb\xff\x00"sv, "-_8A"}}};
    for (const auto& [bytes, text] : vectors) {
        EXPECT_EQ(to_base64url(as_bytes(bytes)), text);
        const auto read = from_base64url(text);
        ASSERT_TRUE(read) << text;
        EXPECT_EQ(as_text(*read), bytes);
    }
}

TEST(base64url, refuses_what_it_would_not_write) {
    for (const auto text : {"Zg==", "Zg=", "Z", "Zm9vY", "Zh", "Zm9", "Zm 8", "Zm+8", "Zm/8",
                            "Zm8\n", "Zm\xc3\xa9"}) {
        EXPECT_FALSE(from_base64url(text)) << text;
    }
}

}  // namespace
}  // namespace sluice::auth
