// Permissions: what was granted, where it holds, and what was never said.
#include "sluice/files/server/permissions.hpp"

#include <gtest/gtest.h>

#include <string_view>

#include "sluice/wire/text.hpp"

namespace sluice::files {
namespace {

TEST(permissions, grant_nothing_unless_asked) {
    const permissions none;
    EXPECT_TRUE(none.empty());
    for (const auto what : {operation::upload, operation::overwrite, operation::remove}) {
        EXPECT_FALSE(none.allows(what, ""));
        EXPECT_FALSE(none.allows(what, "a"));
    }
    EXPECT_EQ(none.description(), "");
}

TEST(permissions, hold_for_a_path_and_below_it) {
    permissions some;
    ASSERT_TRUE(some.grant("upload:/inbox/"));
    EXPECT_TRUE(some.allows(operation::upload, "inbox"));
    EXPECT_TRUE(some.allows(operation::upload, "inbox/a/b"));
    EXPECT_FALSE(some.allows(operation::upload, "inbox2"));
    EXPECT_FALSE(some.allows(operation::upload, "inbox2/a"));
    EXPECT_FALSE(some.allows(operation::upload, "a/inbox"));
    EXPECT_FALSE(some.allows(operation::upload, ""));
    EXPECT_FALSE(some.allows(operation::overwrite, "inbox/a"));
    EXPECT_FALSE(some.allows(operation::remove, "inbox/a"));
    EXPECT_EQ(some.description(), "upload below /inbox");
}

TEST(permissions, to_overwrite_are_to_upload_too) {
    permissions some;
    ASSERT_TRUE(some.grant("overwrite"));
    EXPECT_TRUE(some.allows(operation::upload, "a"));
    EXPECT_TRUE(some.allows(operation::overwrite, "a"));
    EXPECT_FALSE(some.allows(operation::remove, "a"));
}

TEST(permissions, are_said_once) {
    permissions some;
    ASSERT_TRUE(some.grant("delete:out"));
    ASSERT_TRUE(some.grant("all"));
    ASSERT_TRUE(some.grant("upload"));
    EXPECT_EQ(some.description(), "delete below /out, upload, overwrite, delete");
    EXPECT_TRUE(some.allows(operation::remove, "b"));
}

TEST(permissions, say_what_is_wrong) {
    permissions none;
    for (const std::string_view bad :
         {"", "uploads", "upload,delete", ":/inbox", "upload:/..", "upload:/.hidden", "upload:a//b",
          "uploa\xe4:/x", "\x1b[m:/.x", "upload:/\x1b[m/.x"}) {
        const auto granted = none.grant(bad);
        ASSERT_FALSE(granted) << bad;
        EXPECT_NE(granted.error().find("upload"), std::string_view::npos) << granted.error();
        EXPECT_TRUE(wire::is_printable(granted.error())) << granted.error();
    }
    EXPECT_TRUE(none.empty());
}

}  // namespace
}  // namespace sluice::files
