// A directory as JSON and as a page, with names that try to be more than names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "sluice/service/files/listing.hpp"
#include "sluice/service/files/listing_page.hpp"

namespace sluice::service::files {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::chrono::sys_seconds noon{std::chrono::seconds{1'795'341'600}};

listing some() {
    return {.path = "/a b/",
            .entries = {{.name = "z.bin", .directory = false, .size = 1'048'576, .modified = noon},
                        {.name = "sub", .directory = true, .size = 4096, .modified = noon},
                        {.name = "b.txt", .directory = false, .size = 3, .modified = noon}},
            .may_upload = true,
            .may_delete = false};
}

listing of_name(const std::string& name) {
    return {.path = "/",
            .entries = {{.name = name, .directory = false, .size = 1, .modified = noon}},
            .may_upload = false,
            .may_delete = true};
}

TEST(listing, is_one_line_of_json_in_order) {
    EXPECT_EQ(listing_json(some()),
              R"({"path":"/a b/","entries":[)"
              R"({"name":"sub","type":"directory","modified":"2026-11-22T10:00:00Z"},)"
              R"({"name":"b.txt","type":"file","size":3,"modified":"2026-11-22T10:00:00Z"},)"
              R"({"name":"z.bin","type":"file","size":1048576,"modified":"2026-11-22T10:00:00Z"}]})"
              "\n");
    EXPECT_EQ(listing_json({.path = "/", .entries = {}, .may_upload = false, .may_delete = false}),
              "{\"path\":\"/\",\"entries\":[]}\n");
}

TEST(listing, quotes_what_json_cannot_hold) {
    EXPECT_THAT(listing_json(of_name("a\"b\\c\n\x1b\xff")),
                HasSubstr("\"name\":\"a\\\"b\\\\c\\u000a\\u001b\xef\xbf\xbd\","));
}

TEST(listing, knows_years_before_1970_and_leap_days) {
    using namespace std::chrono;
    EXPECT_EQ(timestamp(sys_seconds{seconds{-1}}), "1969-12-31T23:59:59Z");
    EXPECT_EQ(timestamp(sys_days{year{2024} / 2 / 29}), "2024-02-29T00:00:00Z");
}

TEST(listing_page, shows_names_sizes_dates_and_the_way_back) {
    const auto page = listing_page(some());
    EXPECT_THAT(page,
                AllOf(HasSubstr("<a href=\"./z.bin\"><bdi>z.bin</bdi></a>"),
                      HasSubstr("<a href=\"./sub/\"><bdi>sub</bdi>/</a>"), HasSubstr(">1 MiB<"),
                      HasSubstr(">2026-11-22 10:00<"), HasSubstr("<a href=\"/\">Files</a>"),
                      HasSubstr("<li aria-current=\"page\"><bdi>a b</bdi></li>"),
                      HasSubstr("1 folder, 2 files, 1.0 MiB")));
    EXPECT_LT(page.find("./sub/"), page.find("./b.txt"));
    EXPECT_LT(page.find("./b.txt"), page.find("./z.bin"));
}

TEST(listing_page, links_each_directory_above) {
    const auto page = listing_page(
        {.path = "/a&b/c d/e/", .entries = {}, .may_upload = false, .may_delete = false});
    EXPECT_THAT(page, AllOf(HasSubstr("<a href=\"/a%26b/\"><bdi>a&amp;b</bdi></a>"),
                            HasSubstr("<a href=\"/a%26b/c%20d/\"><bdi>c d</bdi></a>"),
                            HasSubstr("Nothing is here yet")));
}

TEST(listing_page, escapes_names_for_html_and_for_urls) {
    const auto page = listing_page(of_name("<script>\"'&%\n\xff?#:/"));
    EXPECT_THAT(page, HasSubstr("href=\"./%3Cscript%3E%22%27%26%25%0A%FF%3F%23%3A%2F\""));
    EXPECT_THAT(page,
                HasSubstr("<bdi>&lt;script&gt;&quot;&#39;&amp;%\xe2\x90\x8a\xef\xbf\xbd?#:/"));
    EXPECT_THAT(page, HasSubstr("data-name=\"&lt;script&gt;&quot;"));
    EXPECT_THAT(page, HasSubstr("aria-label=\"Delete &lt;script&gt;&quot;"));
    EXPECT_THAT(page, Not(HasSubstr("<script>\"")));
    EXPECT_EQ(page.find('\xff'), std::string::npos);
    const auto below =
        listing_page({.path = "/<i>/", .entries = {}, .may_upload = false, .may_delete = false});
    EXPECT_THAT(below, AllOf(HasSubstr("<title>/&lt;i&gt;/</title>"), Not(HasSubstr("<i>"))));
}

TEST(listing_page, offers_only_what_is_allowed) {
    const std::string drop = "id=\"drop\"";
    const std::string remove = "class=\"plain remove\"";
    EXPECT_THAT(listing_page(some()), AllOf(HasSubstr(drop), Not(HasSubstr(remove))));
    EXPECT_THAT(listing_page(of_name("a")), AllOf(Not(HasSubstr(drop)), HasSubstr(remove)));
}

TEST(listing_page, lets_nothing_else_run_or_load) {
    const auto page = listing_page(some());
    EXPECT_THAT(page, AllOf(HasSubstr("default-src 'none'; style-src 'sha256-"),
                            HasSubstr("script-src 'sha256-"), Not(HasSubstr("unsafe")),
                            Not(HasSubstr("style=")), Not(HasSubstr(" onclick=")),
                            Not(HasSubstr("http://")), Not(HasSubstr("https://"))));
}

}  // namespace
}  // namespace sluice::service::files
