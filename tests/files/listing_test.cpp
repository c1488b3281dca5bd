// A directory as JSON and as a page, with names that try to be more than names.
#include "sluice/files/server/listing.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sluice/files/server/listing_page.hpp"

namespace sluice::files {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::chrono::sys_seconds noon{std::chrono::seconds{1'795'341'600}};

listing of(std::string path, std::vector<listing_entry> entries) {
    auto holds = std::make_shared<folder_contents>();
    holds->entries = std::move(entries);
    put_in_order(*holds);
    return {.path = std::move(path), .holds = std::move(holds)};
}

listing some() {
    auto what =
        of("/a b/", {{.name = "z.bin", .directory = false, .size = 1'048'576, .modified = noon},
                     {.name = "sub", .directory = true, .size = 4096, .modified = noon},
                     {.name = "b.txt", .directory = false, .size = 3, .modified = noon}});
    what.may_upload = true;
    return what;
}

listing of_name(const std::string& name) {
    auto what = of("/", {{.name = name, .directory = false, .size = 1, .modified = noon}});
    what.may_delete = true;
    return what;
}

listing of_many(std::size_t count) {
    std::vector<listing_entry> entries;
    for (std::size_t i = 0; i < count; ++i) {
        entries.push_back({.name = fmt::format("n{:05}", i), .modified = noon});
    }
    return of("/", std::move(entries));
}

std::string written(const listing& what, listing_writer::form how, std::size_t piece = 100) {
    std::string all;
    listing_writer writer{what, how};
    for (std::string text; writer.next(text, piece); text.clear()) all += text;
    EXPECT_EQ(listing_writer::length(what, how), all.size());
    return all;
}

std::string listing_json(const listing& what) {
    return written(what, listing_writer::form::json);
}

std::string listing_page(const listing& what) {
    return written(what, listing_writer::form::page);
}

TEST(listing, is_one_line_of_json_in_order) {
    EXPECT_EQ(listing_json(some()),
              R"({"path":"/a b/","entries":[)"
              R"({"name":"sub","type":"directory","modified":"2026-11-22T10:00:00Z"},)"
              R"({"name":"b.txt","type":"file","size":3,"modified":"2026-11-22T10:00:00Z"},)"
              R"({"name":"z.bin","type":"file","size":1048576,"modified":"2026-11-22T10:00:00Z"}]})"
              "\n");
    EXPECT_EQ(listing_json(of("/", {})), "{\"path\":\"/\",\"entries\":[]}\n");
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
    const auto page = listing_page(of("/a&b/c d/e/", {}));
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
    const auto below = listing_page(of("/<i>/", {}));
    EXPECT_THAT(below, AllOf(HasSubstr("<title>/&lt;i&gt;/</title>"), Not(HasSubstr("<i>"))));
}

TEST(listing_page, offers_only_what_is_allowed) {
    const std::string drop = "id=\"drop\"";
    const std::string remove = "class=\"plain remove\"";
    EXPECT_THAT(listing_page(some()), AllOf(HasSubstr(drop), Not(HasSubstr(remove))));
    EXPECT_THAT(listing_page(of_name("a")), AllOf(Not(HasSubstr(drop)), HasSubstr(remove)));
}

TEST(listing, is_written_in_pieces_of_a_size) {
    const auto what = of_many(5000);
    constexpr std::size_t piece = 4096;
    for (const auto how : {listing_writer::form::json, listing_writer::form::page}) {
        listing_writer writer{what, how};
        std::size_t largest = 0;
        for (std::string text; writer.next(text, piece); text.clear()) {
            largest = std::max(largest, text.size());
        }
        EXPECT_LE(largest, piece + listing_writer::longest_addition);
        EXPECT_EQ(written(what, how, 1), written(what, how, 1'000'000));
    }
}

TEST(listing, has_pages) {
    auto what = of_many(2 * listing::page_size + 1);
    EXPECT_EQ(what.pages(), 3U);
    EXPECT_EQ(of("/", {}).pages(), 1U);
    what.page = 3;
    EXPECT_THAT(listing_json(what), AllOf(HasSubstr("[{\"name\":\"n02000\""),
                                          HasSubstr("}],\"page\":3,\"pages\":3}\n")));
    EXPECT_THAT(listing_page(what), AllOf(HasSubstr("Page 3 of 3"), HasSubstr("href=\"?page=2\""),
                                          Not(HasSubstr("href=\"?page=4\"")),
                                          HasSubstr("2001 files"), Not(HasSubstr("n01999"))));
    what.page = 1;
    EXPECT_THAT(listing_page(what), AllOf(HasSubstr("n00999"), Not(HasSubstr("n01000")),
                                          HasSubstr("href=\"?page=2\"")));
}

TEST(listing, tells_what_it_does_not_show) {
    auto what = of("/", {});
    auto holds = std::make_shared<folder_contents>();
    holds->unlisted = 2;
    holds->omitted = 1;
    what.holds = holds;
    EXPECT_EQ(listing_json(what), "{\"path\":\"/\",\"entries\":[],\"unlisted\":2,\"omitted\":1}\n");
    EXPECT_THAT(listing_page(what), HasSubstr("2 names not shown"));
}

TEST(listing_page, lets_nothing_else_run_or_load) {
    const auto page = listing_page(some());
    EXPECT_THAT(page, AllOf(HasSubstr("default-src 'none'; style-src 'sha256-"),
                            HasSubstr("script-src 'sha256-"), Not(HasSubstr("unsafe")),
                            Not(HasSubstr("style=")), Not(HasSubstr(" onclick=")),
                            Not(HasSubstr("http://")), Not(HasSubstr("https://"))));
}

}  // namespace
}  // namespace sluice::files
