// The page is whole, needs nothing, and lets no text become markup.
#include "sluice/lab/report/html.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "sample_run.hpp"
#include "sluice/lab/report/plot.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::lab {
namespace {

using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// The names of the tags of a page, closing ones with a slash; a failure where one is not ended.
std::vector<std::string> tags_of(std::string_view page) {
    std::vector<std::string> tags;
    for (std::size_t at = page.find('<'); at != std::string_view::npos; at = page.find('<', at)) {
        bool quoted = false;
        auto end = at;
        while (end < page.size() && (quoted || page[end] != '>')) quoted ^= page[end++] == '"';
        EXPECT_LT(end, page.size()) << "a tag is not ended: " << page.substr(at, 60);
        const auto tag = page.substr(at + 1, end - at - 1);
        const bool ends_itself = tag.ends_with('/');
        const auto name = std::string{tag.substr(0, tag.find_first_of(" />", 1))};
        tags.push_back(name);
        if (ends_itself) tags.push_back('/' + name);
        at = end;
    }
    return tags;
}

/// Whether every element that is opened is closed in its place.
void expect_balanced(std::string_view page) {
    std::vector<std::string> open;
    for (const auto& tag : tags_of(page)) {
        if (tag == "!doctype" || tag == "meta") continue;
        if (!tag.starts_with('/')) {
            open.push_back(tag);
            continue;
        }
        ASSERT_FALSE(open.empty());
        ASSERT_EQ('/' + open.back(), tag);
        open.pop_back();
    }
    EXPECT_TRUE(open.empty());
}

TEST(html, says_which_rounds_were_disturbed) {
    EXPECT_THAT(as_html(sample_run()),
                HasSubstr("Rounds that count: 7. Disturbed among them: 1. Disturbed, dropped and "
                          "repeated: 3."));
    auto undisturbed = sample_run();
    for (auto& each : undisturbed.cases) each.rounds = {.counted = 7};
    EXPECT_THAT(as_html(undisturbed), Not(HasSubstr("Rounds that count")));
}

TEST(html, shows_what_is_unknown_in_a_look_of_its_own) {
    auto run = sample_run();
    const auto sure = as_html(run);
    EXPECT_THAT(sure, HasSubstr(R"(class="bar lead")"));
    EXPECT_THAT(sure, Not(HasSubstr(R"(class="bar unsure")")));
    EXPECT_THAT(sure, HasSubstr(R"(<tr class="lead"><td>splice</td>)"));
    EXPECT_THAT(sure, Not(HasSubstr("tie")));
    run.cases[0].figures[2].quantities[0].samples = {1e9, 9e9, 3e9, 2e9, 8e9, 4e9, 3e9};
    const auto unsure = as_html(run);
    EXPECT_THAT(unsure, HasSubstr(R"(class="bar unsure")"));
    EXPECT_THAT(unsure, HasSubstr(R"(<tr class="unsure"><td>splice</td>)"));
    EXPECT_THAT(unsure, HasSubstr("cannot tell"));
}

TEST(html, draws_places_that_lie_far_apart_relative_to_the_base) {
    auto run = sample_run();
    EXPECT_THAT(as_html(run), HasSubstr(">rate, k/s</text>"));
    double factor = 1;
    for (auto& each : run.cases) {
        if (!each.x) continue;
        for (auto& row : each.figures) {
            for (auto& sample : row.quantities[0].samples) sample *= factor;
        }
        factor /= 30;
    }
    EXPECT_THAT(as_html(run), HasSubstr(">rate, as a multiple of sync&#39;s, ×</text>"));
}

TEST(html, is_whole) {
    const auto page = as_html(sample_run());
    expect_balanced(page);
    EXPECT_TRUE(page.starts_with("<!doctype html>"));
    EXPECT_TRUE(page.ends_with("</html>\n"));
    for (const auto* part : {"A warm copy was 8.00\u00a0× as fast as a cold one", "polyline",
                             "sluice files offer data", "Somebody else was using the machine.",
                             "6.18.5", "It sends small segments.", "p99", "id=\"method\""}) {
        EXPECT_THAT(page, HasSubstr(part));
    }
    EXPECT_LT(page.find("A warm copy"), page.find("<section"));
}

TEST(html, fetches_and_runs_nothing) {
    const auto page = as_html(sample_run());
    EXPECT_THAT(page, HasSubstr("default-src 'none'"));
    for (const auto* part : {"<script", "http:", "https:", "src=", "url(", "@import", "<link"}) {
        EXPECT_THAT(page, Not(HasSubstr(part)));
    }
}

TEST(html, keeps_hostile_text_text) {
    const auto page = as_html(hostile_run());
    expect_balanced(page);
    EXPECT_THAT(page, Not(HasSubstr("<script")));
    EXPECT_THAT(page, HasSubstr("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;&#39;"));
    EXPECT_THAT(page, Not(HasSubstr("\x1b")));
    EXPECT_TRUE(wire::is_valid_utf8(page));
    EXPECT_THAT(page, HasSubstr("Interrupted"));
}

TEST(html, of_odd_runs_is_whole_and_has_no_nan) {
    for (const auto& run : {odd_run(), results{}}) {
        for (const auto base : {baseline::first, baseline::best}) {
            const auto page = as_html(run, base);
            expect_balanced(page);
            EXPECT_THAT(page, Not(ContainsRegex("\"-?(nan|inf)|[ ,](nan|inf)[ ,\"%]|e\\+[0-9]+%")));
        }
    }
}

TEST(plot, ticks_are_round) {
    EXPECT_THAT(round_ticks(3.4, 5), ElementsAre(0, 1, 2, 3, 4));
    EXPECT_THAT(round_ticks(100, 5), ElementsAre(0, 20, 40, 60, 80, 100));
    EXPECT_THAT(round_ticks(0, 5), ElementsAre(0, 1));
    EXPECT_THAT(round_ticks(0.07, 5), ElementsAre(0, 0.02, 0.04, 0.06, 0.08));
}

}  // namespace
}  // namespace sluice::lab
