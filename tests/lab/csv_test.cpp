// CSV has a row a sample, and no cell that is more than a cell.
#include "sluice/lab/report/csv.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "sample_run.hpp"

namespace sluice::lab {
namespace {

using row = std::vector<std::string>;

/// Reads what RFC 4180 describes.
std::vector<row> parsed(std::string_view text) {
    std::vector<row> rows{{""}};
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted && c == '"' && text.substr(i + 1).starts_with('"')) {
            rows.back().back() += '"';
            ++i;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == ',') {
            rows.back().emplace_back();
        } else if (!quoted && text.substr(i).starts_with("\r\n")) {
            rows.push_back({""});
            ++i;
        } else {
            rows.back().back() += c;
        }
    }
    EXPECT_EQ(rows.back(), row{""}) << "the last line has no end";
    rows.pop_back();
    return rows;
}

TEST(csv, has_a_row_a_sample) {
    const auto rows = parsed(as_csv(sample_run()));
    EXPECT_EQ(rows[0][0], "plan");
    const auto of_sendfile = std::ranges::count_if(rows, [](const row& each) {
        return each[0] == "download" && each[5] == "sendfile" && each[6] == "rate";
    });
    EXPECT_EQ(of_sendfile, 7);
    const row first{"download", "warm, 1 client", "", "", "", "read-send", "rate", "B/s", "1"};
    EXPECT_TRUE(std::equal(first.begin(), first.end(), rows[1].begin()));
    EXPECT_EQ(std::stod(rows[1][10]), sample_run().cases[0].figures[0].quantities[0].samples[0]);
    const auto tail = std::ranges::find_if(
        rows, [](const row& each) { return each[6] == "latency" && each[9] == "0.99"; });
    ASSERT_NE(tail, rows.end());
    EXPECT_EQ((*tail)[10], "0.01");
    const auto errors = std::ranges::find_if(
        rows, [](const row& each) { return each[5] == "sendfile" && each[6] == "errors"; });
    ASSERT_NE(errors, rows.end());
    EXPECT_EQ((*errors)[10], "2");
    const auto dropped = std::ranges::find_if(
        rows, [](const row& each) { return each[6] == "rounds dropped and repeated"; });
    ASSERT_NE(dropped, rows.end());
    EXPECT_EQ((*dropped)[1] + (*dropped)[10], "warm, 1 client3");
}

TEST(csv, all_rows_are_equally_long_whatever_they_hold) {
    for (const auto& run : {sample_run(), hostile_run(), odd_run(), results{}}) {
        const auto rows = parsed(as_csv(run));
        for (const auto& each : rows) EXPECT_EQ(each.size(), rows[0].size());
    }
}

TEST(csv, no_cell_is_a_formula) {
    auto run = sample_run();
    run.cases[0].figures[0].variant = "=HYPERLINK(\"http://here\")";
    run.cases[0].name = "+1";
    const auto rows = parsed(as_csv(run));
    EXPECT_EQ(rows[1][5], "'=HYPERLINK(\"http://here\")");
    EXPECT_EQ(rows[1][1], "'+1");
}

TEST(csv, what_is_no_number_is_empty) {
    const auto rows = parsed(as_csv(odd_run()));
    EXPECT_TRUE(std::ranges::none_of(
        rows, [](const row& each) { return each[10] == "nan" || each[10].ends_with("inf"); }));
    const auto odd =
        std::ranges::find_if(rows, [](const row& each) { return each[1] == "no number"; });
    ASSERT_NE(odd, rows.end());
    EXPECT_EQ((*odd)[10], "");
}

}  // namespace
}  // namespace sluice::lab
