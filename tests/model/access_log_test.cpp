// Ids of events, and how many of them are written a second.
#include "sluice/model/access_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace sluice::model {
namespace {

using ::testing::MatchesRegex;
using namespace std::chrono_literals;

class kept_log final : public access_log {
 public:
    using access_log::access_log;
    void write(const access_event& e) noexcept override { ids.push_back(e.id); }
    std::vector<event_id> ids;
};

TEST(access_log, ids_are_short_and_differ_on_all_threads) {
    kept_log log{{}};
    std::vector<std::vector<event_id>> by_thread(4);
    std::vector<std::thread> threads;
    for (auto& ids : by_thread) {
        threads.emplace_back([&log, &ids] {
            for (int i = 0; i < 1000; ++i) ids.push_back(log.next_id());
        });
    }
    for (auto& each : threads) each.join();
    std::set<std::string> all;
    for (const auto& ids : by_thread) {
        for (const auto id : ids) all.emplace(event_id_text{id}.view());
    }
    EXPECT_EQ(all.size(), 4000U);
    for (const auto& each : all) {
        ASSERT_THAT(each, MatchesRegex("[0-9a-z]+-[0-9a-z]+"));
        ASSERT_LE(each.size(), 9U);
        ASSERT_EQ(each.substr(0, 6), all.begin()->substr(0, 6));
    }
}

TEST(access_log, another_run_has_other_ids) {
    kept_log one{{}};
    kept_log other{{}};
    EXPECT_NE(event_id_text{one.next_id()}.view(), event_id_text{other.next_id()}.view());
}

TEST(access_log, no_id_is_no_text) {
    EXPECT_EQ(event_id_text{event_id{}}.view(), "");
    EXPECT_EQ(event_id_text{event_id{UINT64_MAX}}.view(), "zzzzz-fzzzzzzz");
}

TEST(access_log, leaves_out_what_is_beyond_the_limit_of_its_kind) {
    kept_log log{{.most_per_second = 3}};
    const io::time_point now{100s};
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(log.admits(access_kind::question, now), i < 3) << i;
    }
    // A flood of questions hides no request.
    EXPECT_TRUE(log.admits(access_kind::request, now));
    // A thread whose clock lags opens no window again.
    EXPECT_FALSE(log.admits(access_kind::question, now - 1s));
    EXPECT_FALSE(log.admits(access_kind::question, now + 999ms));
    EXPECT_TRUE(log.admits(access_kind::question, now + 1s));
    EXPECT_EQ(log.counted().written.load(), 5U);
    EXPECT_EQ(log.counted().limited.load(), 9U);
}

TEST(access_log, without_a_limit_writes_all) {
    kept_log log{{.most_per_second = 0}};
    for (int i = 0; i < 100'000; ++i) log.record({});
    EXPECT_EQ(log.ids.size(), 100'000U);
    EXPECT_EQ(log.counted().limited.load(), 0U);
}

TEST(access_span, tells_its_id_and_time) {
    struct last_log final : access_log {
        using access_log::access_log;
        void write(const access_event& e) noexcept override {
            id = e.id;
            took = e.took;
            what = e.what;
        }
        event_id id;
        io::duration took{};
        std::string what;
    } log{{}};
    const access_span span{&log};
    ASSERT_TRUE(span);
    span.end({.what = "here"});
    EXPECT_EQ(log.id, span.id());
    EXPECT_GE(log.took, 0ns);
    EXPECT_EQ(log.what, "here");
    EXPECT_FALSE(access_span{nullptr});
    access_span{nullptr}.end({});
}

}  // namespace
}  // namespace sluice::model
