// What is shown of a transfer: rates and times that are right after a resume, lines that fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include <nlohmann/json.hpp>

#include "sluice/cli/files/progress.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;
using files::phase;
using files::progress;
using testing::HasSubstr;

constexpr std::uint64_t mib = std::uint64_t{1} << 20;

progress_report half_way() {
    return {.file = "folder/big.bin",
            .phase = "moving",
            .bytes = 512 * mib,
            .total = 1024 * mib,
            .moved = 128 * mib,
            .checked = 0,
            .rate = 64.0 * mib,
            .average = 64.0 * mib};
}

TEST(progress, counts_what_moved_and_what_was_there) {
    progress p;
    EXPECT_FALSE(p.moves());
    p.set_total(100);
    p.start_at(40);
    p.enter(phase::moving);
    p.transferred().add(30);
    EXPECT_EQ(p.done(), 70U);
    EXPECT_EQ(p.of_this_attempt(), 30U);
    // The connection broke, and the other side has less than was sent.
    p.start_at(50);
    EXPECT_EQ(p.done(), 50U);
    p.transferred().add(50);
    EXPECT_EQ(p.done(), 100U);
    EXPECT_EQ(p.of_this_attempt(), 80U);
    EXPECT_TRUE(p.moves());
}

TEST(pace, is_that_of_the_last_three_seconds) {
    pace p;
    EXPECT_EQ(p.rate(), 0);
    io::time_point now{};
    std::uint64_t bytes = 0;
    p.update(now, bytes);
    EXPECT_EQ(p.rate(), 0);
    for (int i = 0; i < 100; ++i) p.update(now += 100ms, bytes += 100);
    EXPECT_NEAR(p.rate(), 1000, 1);
    for (int i = 0; i < 15; ++i) p.update(now += 100ms, bytes);
    EXPECT_NEAR(p.rate(), 500, 40);
    for (int i = 0; i < 20; ++i) p.update(now += 100ms, bytes);
    EXPECT_EQ(p.rate(), 0);
}

TEST(seconds_left, goes_by_what_is_left_and_how_fast_it_moves_now) {
    auto r = half_way();
    EXPECT_NEAR(seconds_left(r), 8, 0.01);
    r.bytes = r.total;
    EXPECT_EQ(seconds_left(r), 0);
    r.bytes = 0;
    r.rate = 0;
    EXPECT_LT(seconds_left(r), 0) << "nothing moves";
    r = half_way();
    r.total = progress::unknown;
    EXPECT_LT(seconds_left(r), 0);
}

TEST(as_bar, tells_part_amount_rate_and_time) {
    EXPECT_EQ(as_bar(half_way(), 79, false),
              "big.bin  [===========............]   50 %  512 MiB of 1 GiB  64 MiB/s  8 s left");
    EXPECT_THAT(as_bar(half_way(), 79, true), HasSubstr("\033[32m===========\033[0m"));
}

TEST(as_bar, fits_whatever_the_width) {
    auto r = half_way();
    r.file = "a name that is \x1b[2J much too long for any terminal that anybody has today.tar.zst";
    for (const auto phase : {"connecting", "checking", "moving", "waiting", "keeping"}) {
        for (std::size_t width = 0; width < 200; ++width) {
            for (const auto total : {r.total, progress::unknown, std::uint64_t{0}}) {
                auto each = r;
                each.phase = phase;
                each.total = total;
                const auto line = as_bar(each, width, false);
                EXPECT_LE(line.size(), width);
                EXPECT_EQ(line.find('\x1b'), std::string::npos);
            }
        }
    }
}

TEST(as_json, has_the_same_fields_in_every_line) {
    const auto j = nlohmann::json::parse(as_json(half_way()));
    EXPECT_EQ(j["event"], "progress");
    EXPECT_EQ(j["file"], "folder/big.bin");
    EXPECT_EQ(j["phase"], "moving");
    EXPECT_EQ(j["bytes"], 512 * mib);
    EXPECT_EQ(j["total"], 1024 * mib);
    EXPECT_EQ(j["moved"], 128 * mib);
    EXPECT_EQ(j["rate"], 64 * mib);
    EXPECT_EQ(j["average"], 64 * mib);
    EXPECT_EQ(j["seconds_left"], 8);
    const auto first = nlohmann::json::parse(as_json({.file = "\xff", .phase = "connecting"}));
    EXPECT_EQ(first.size(), j.size());
    EXPECT_TRUE(first["total"].is_null());
    EXPECT_TRUE(first["seconds_left"].is_null());
}

}  // namespace
}  // namespace sluice::cli
