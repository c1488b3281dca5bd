// A setting finds its place in a configuration, and all else stays.
#include <gtest/gtest.h>

#include "sluice/cli/config.hpp"
#include "sluice/cli/lab/config.hpp"

namespace {

using sluice::cli::parse_config;
using sluice::cli::with_setting;

std::string set(std::string_view text) {
    return with_setting(text, "files serve", "strategy", "splice");
}

TEST(lab_config, an_empty_file_gets_a_section) {
    EXPECT_EQ(set(""), "[files.serve]\nstrategy = splice\n");
}

TEST(lab_config, a_setting_is_replaced_where_it_stands) {
    EXPECT_EQ(set("# ours\n[files.serve]\nquiet = true\nstrategy = recv-full # slow\n[talk]\n"),
              "# ours\n[files.serve]\nquiet = true\nstrategy = splice\n[talk]\n");
}

TEST(lab_config, of_two_the_last_one_counts_and_is_replaced) {
    EXPECT_EQ(set("[files.serve]\nstrategy = a\nstrategy = b\n"),
              "[files.serve]\nstrategy = a\nstrategy = splice\n");
}

TEST(lab_config, a_section_is_extended_at_its_end) {
    EXPECT_EQ(set("[files.serve]\nquiet = true\n\n[talk]\nkeep = true\n"),
              "[files.serve]\nquiet = true\nstrategy = splice\n\n[talk]\nkeep = true\n");
}

TEST(lab_config, settings_of_others_and_of_sections_further_out_stay) {
    const auto text = set("strategy = x\n[files]\nstrategy = y\n[files.offer]\nstrategy = z\n");
    EXPECT_EQ(text,
              "strategy = x\n[files]\nstrategy = y\n[files.offer]\nstrategy = z\n\n"
              "[files.serve]\nstrategy = splice\n");
    const auto entries = parse_config(text);
    ASSERT_TRUE(entries);
    EXPECT_EQ(entries->back().section, "files serve");
    EXPECT_EQ(entries->back().value, "splice");
}

TEST(lab_config, sections_are_those_that_the_parser_finds) {
    EXPECT_EQ(set("[ files.serve ]\nquiet = true\n\r[talk] # x\nkeep = true\n"),
              "[ files.serve ]\nquiet = true\nstrategy = splice\n\r[talk] # x\nkeep = true\n");
}

TEST(lab_config, setting_it_again_changes_nothing) {
    const auto once = set("[talk]\nkeep = true");
    EXPECT_EQ(set(once), once);
}

}  // namespace
