// Metrics as Prometheus and OpenMetrics want them, read back by our own reader.
#include "sluice/metrics/exposition.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "sluice/metrics/process.hpp"
#include "sluice/metrics/scrape.hpp"

namespace sluice::metrics {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

collection sample_collection() {
    latency_snapshot times;
    times.counts[0] = 1;
    times.counts[3] = 2;
    times.counts.back() = 1;
    times.sum_ns = 1'500'000'000;
    collection all;
    all.add({.title = "files",
             .part = "sluice_http",
             .labels = label("shard", "0"),
             .samples = {{.name = "stored", .value = 3, .description = "files"},
                         {.name = "bytes_stored",
                          .value = 4096,
                          .description = "of them",
                          .in = unit::bytes,
                          .metric = "stored"},
                         {.name = "here", .value = 2, .description = "now", .type = kind::gauge},
                         {.name = "shown", .value = 9, .description = "x", .type = kind::listed}},
             .histograms = {{.metric = "request", .counted = times, .help = "Times"}}});
    all.add({.title = "files",
             .part = "sluice_http",
             .labels = label("shard", "1"),
             .samples = {{.name = "stored", .value = 5, .description = "files"}}});
    all.add({.part = "process",
             .samples = {{.value = 2'500'000'000,
                          .in = unit::nanoseconds,
                          .metric = "cpu",
                          .help = "CPU \"time\"\\\n"}}});
    return all;
}

TEST(exposition, samples_of_a_metric_stand_together_behind_its_help_and_type) {
    EXPECT_THAT(expose(sample_collection(), format::prometheus),
                HasSubstr("# HELP sluice_http_stored_total files, stored: files\n"
                          "# TYPE sluice_http_stored_total counter\n"
                          "sluice_http_stored_total{shard=\"0\"} 3\n"
                          "sluice_http_stored_total{shard=\"1\"} 5\n"
                          "# HELP sluice_http_stored_bytes_total"));
}

TEST(exposition, kinds_and_units_name_metrics) {
    const auto text = expose(sample_collection(), format::prometheus);
    EXPECT_THAT(text, HasSubstr("\nsluice_http_stored_bytes_total{shard=\"0\"} 4096\n"));
    EXPECT_THAT(text,
                HasSubstr("# TYPE sluice_http_here gauge\nsluice_http_here{shard=\"0\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("\nprocess_cpu_seconds_total 2.5\n"));
    EXPECT_THAT(text, Not(HasSubstr("shown")));
}

TEST(exposition, a_histogram_is_cumulative) {
    const auto text = expose(sample_collection(), format::prometheus);
    EXPECT_THAT(text,
                HasSubstr("# TYPE sluice_http_request_seconds histogram\n"
                          "sluice_http_request_seconds_bucket{shard=\"0\",le=\"0.000005\"} 1\n"
                          "sluice_http_request_seconds_bucket{shard=\"0\",le=\"0.00001\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("_bucket{shard=\"0\",le=\"60\"} 3\n"
                                "sluice_http_request_seconds_bucket{shard=\"0\",le=\"+Inf\"} 4\n"
                                "sluice_http_request_seconds_sum{shard=\"0\"} 1.5\n"
                                "sluice_http_request_seconds_count{shard=\"0\"} 4\n"));
}

TEST(exposition, help_and_labels_are_escaped) {
    EXPECT_EQ(label("door", "a\"b\\c\nd"), R"(door="a\"b\\c\nd")");
    EXPECT_THAT(expose(sample_collection(), format::prometheus),
                HasSubstr("# HELP process_cpu_seconds_total CPU \"time\"\\\\\\n\n"));
}

TEST(exposition, open_metrics_names_counters_without_their_ending_and_has_an_end) {
    const auto text = expose(sample_collection(), format::openmetrics);
    EXPECT_THAT(text, HasSubstr("# TYPE sluice_http_stored counter\n"
                                "sluice_http_stored_total{shard=\"0\"} 3\n"));
    EXPECT_THAT(text, EndsWith("\n# EOF\n"));
}

TEST(exposition, the_format_is_what_is_asked_for) {
    using enum format;
    EXPECT_EQ(preferred_format(""), prometheus);
    EXPECT_EQ(preferred_format("*/*"), prometheus);
    EXPECT_EQ(preferred_format("text/html"), prometheus);
    EXPECT_EQ(preferred_format("application/openmetrics-text; version=1.0.0"), openmetrics);
    // As Prometheus 2.42 asks.
    EXPECT_EQ(preferred_format("application/openmetrics-text;version=1.0.0,application/"
                               "openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q="
                               "0.5,*/*;q=0.1"),
              openmetrics);
    EXPECT_EQ(preferred_format("text/plain, application/openmetrics-text;q=0.5"), prometheus);
    EXPECT_EQ(preferred_format("application/openmetrics-text;version=2.0.0"), prometheus);
}

TEST(scrape, reads_what_was_exposed) {
    const auto read = scrape::parse(expose(sample_collection(), format::prometheus));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->sum("sluice_http_stored_total"), 8);
    EXPECT_EQ(read->sums("sluice_http_stored_total", "shard").at("1"), 5);
    EXPECT_EQ(read->sum("process_cpu_seconds_total"), 2.5);
    EXPECT_EQ(read->sum("nothing"), 0);
    EXPECT_TRUE(read->has("sluice_http_here"));
    EXPECT_FALSE(read->has("sluice_http_here_total"));
    EXPECT_THAT(read->values("sluice_http_stored_total", "shard"),
                ::testing::ElementsAre("0", "1"));
}

TEST(scrape, labels_are_unescaped) {
    const auto read = scrape::parse("a{" + label("b", "x\"y\\z\nw") + ",c=\"d\"} 1 1234\n");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->first("a", "b"), "x\"y\\z\nw");
    EXPECT_EQ(read->first("a", "c"), "d");
}

TEST(scrape, other_text_is_refused_with_its_line) {
    for (const std::string text :
         {"<html>", "a{b=\"c} 1", "a{b} 1", "a", "a one", "1a 1", "a{b=\"c\"d} 1", "a{b=\"c\\"}) {
        const auto read = scrape::parse("# fine\nok 1\n" + text);
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error(), "line 3 is no metric of Prometheus");
    }
}

TEST(quantile, is_interpolated_in_what_was_counted_between_the_scrapes) {
    const auto at = [](int small, int large, int all) {
        return *scrape::parse("t_bucket{le=\"1\"} " + std::to_string(small) +
                              "\nt_bucket{le=\"2\"} " + std::to_string(large) +
                              "\nt_bucket{le=\"+Inf\"} " + std::to_string(all) + "\n");
    };
    EXPECT_DOUBLE_EQ(quantile(at(10, 10, 10), at(20, 20, 20), "t", 0.5), 0.5);
    EXPECT_DOUBLE_EQ(quantile(at(10, 10, 10), at(10, 20, 20), "t", 0.5), 1.5);
    // Beyond the last bound all that is known is the bound.
    EXPECT_DOUBLE_EQ(quantile(at(0, 0, 0), at(0, 0, 5), "t", 0.5), 2);
    EXPECT_TRUE(std::isnan(quantile(at(1, 1, 1), at(1, 1, 1), "t", 0.5)));
    EXPECT_TRUE(std::isnan(quantile(at(1, 1, 1), at(1, 1, 1), "u", 0.5)));
}

TEST(quantile, a_bound_that_is_no_number_counts_nothing) {
    const auto none = *scrape::parse("");
    const auto odd = *scrape::parse("t_bucket{le=\"nan\"} 100\nt_bucket{le=\"1\"} 10\n");
    EXPECT_DOUBLE_EQ(quantile(none, odd, "t", 0.5), 0.5);
}

TEST(process_metrics, say_what_the_kernel_knows) {
    collection all;
    all.add(process_group(1'700'000'000'000'000'000));
    const auto read = scrape::parse(expose(all, format::prometheus));
    ASSERT_TRUE(read);
    EXPECT_GT(read->sum("process_cpu_seconds_total"), 0);
    EXPECT_GT(read->sum("process_resident_memory_bytes"), 1 << 20);
    EXPECT_GT(read->sum("process_virtual_memory_bytes"),
              read->sum("process_resident_memory_bytes"));
    EXPECT_GE(read->sum("process_open_fds"), 3);
    EXPECT_LT(read->sum("process_open_fds"), 100);
    EXPECT_GE(read->sum("process_max_fds"), read->sum("process_open_fds"));
    EXPECT_EQ(read->sum("process_start_time_seconds"), 1'700'000'000);
}

}  // namespace
}  // namespace sluice::metrics
