// Rounds: interleaved, complete, until they are precise or time is up, and who fails is left out.
#include "sluice/lab/runner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sluice/io/timer.hpp"
#include "sluice/lab/interruption.hpp"

namespace {

using namespace std::chrono_literals;
using sluice::lab::better;
using sluice::lab::interruption;
using sluice::lab::limits;
using sluice::lab::noise;
using sluice::lab::planned_case;
using sluice::lab::progress;
using sluice::lab::results;
using sluice::lab::sample;
using sluice::lab::settings;

using taking = std::expected<sample, std::string>;

sample sample_of(double value) {
    sample s;
    s.quantities = {{.name = "rate", .unit = "1/s", .which = better::higher, .value = value}};
    s.load_command = "load";
    return s;
}

/// A plan whose samples are made up; every one that is taken is written down.
class runner : public testing::Test {
 protected:
    using source = std::function<taking(std::size_t)>;

    planned_case& add_case(const std::string& name,
                           const std::vector<std::pair<std::string, source>>& of) {
        planned_case made;
        made.about.plan = "made up";
        made.about.name = name;
        for (const auto& [variant, from] : of) {
            made.variants.push_back(
                {.name = variant, .footnotes = {}, .take = [this, variant, draw = from] {
                     taken_.push_back(variant);
                     return draw(count_[variant]++);
                 }});
        }
        cases_.push_back(std::move(made));
        return cases_.back();
    }
    /// What else goes on while a sample is taken: so many cores have others in it.
    void disturb(std::function<double(std::size_t)> others) {
        around_ = noise{[this, others = std::move(others)] {
            // They are read where a sample begins, and a second later, where it ends.
            if (++readings_ % 2 == 0) clocks_.busy += others(samples_++);
            clocks_.now += 1;
            return clocks_;
        }};
    }
    results run(const limits& within, double precision = 0.02) {
        settings asked;
        asked.precision = precision;
        progress shown{cases_.size(), sluice::io::clock::now() + 1s,
                       [this](std::string_view text) { said_ += text; }, within.fewest,
                       within.most};
        results found;
        const auto done = sluice::lab::measure(cases_, within, asked, shown, around_, found,
                                               [this] { return now_; });
        why_ = done ? "" : done.error();
        return found;
    }

    static source steady(double value) {
        return [value](std::size_t) -> taking { return sample_of(value); };
    }

    std::vector<planned_case> cases_;
    std::vector<std::string> taken_;
    std::map<std::string, std::size_t> count_;
    std::string said_;            // of the progress
    sluice::io::time_point now_;  // moved by the samples alone
    std::string why_;
    noise around_{[] { return noise::clocks{}; }};

 private:
    noise::clocks clocks_;
    std::size_t readings_ = 0;
    std::size_t samples_ = 0;
};

TEST(noise, says_at_the_start_what_keeps_the_machine_busy) {
    noise::clocks now;
    double busy = 0;
    double stolen = 0;
    noise around{[&] {
        now.now += 1;
        now.busy += busy;
        now.stolen += stolen;
        return now;
    }};
    EXPECT_EQ(around.look_around(0ms), "");
    stolen = 0.1;
    EXPECT_THAT(around.look_around(0ms), testing::HasSubstr("takes 0.10 cores away"));
    busy = 1.5;
    EXPECT_THAT(around.look_around(0ms), testing::HasSubstr("other programs use 1.5 cores"));
    for (const auto& each : around.warnings()) {
        EXPECT_THAT(each, testing::Not(testing::HasSubstr("samples"))) << "it was none";
    }
}

constexpr limits plenty{.fewest = 3, .most = 10, .repeated = 2, .usual = 60s, .longest = 90s};

TEST_F(runner, each_round_has_every_variant_once_and_not_always_in_one_order) {
    add_case("noisy", {{"a", [](std::size_t i) -> taking { return sample_of(i % 2 ? 1 : 5); }},
                       {"b", steady(1)},
                       {"c", steady(1)}});
    const auto found = run(plenty);
    ASSERT_EQ(taken_.size(), 1U + 30U) << "one to warm up, and as many rounds as there may be";
    std::vector<std::vector<std::string>> rounds;
    for (std::size_t at = 1; at < taken_.size(); at += 3) {
        rounds.emplace_back(taken_.begin() + static_cast<std::ptrdiff_t>(at),
                            taken_.begin() + static_cast<std::ptrdiff_t>(at + 3));
        auto sorted = rounds.back();
        std::ranges::sort(sorted);
        EXPECT_EQ(sorted, (std::vector<std::string>{"a", "b", "c"}));
    }
    std::ranges::sort(rounds);
    EXPECT_NE(rounds.front(), rounds.back()) << "ten draws of six orders are not all the same";
    ASSERT_EQ(found.cases.size(), 1U);
    EXPECT_EQ(found.cases[0].figures[0].variant, "a") << "reported in the order of the plan";
    EXPECT_EQ(found.cases[0].figures[0].quantities[0].samples.size(), 10U);
}

TEST_F(runner, what_is_precise_needs_no_more_rounds) {
    add_case("steady", {{"a", steady(1)}, {"b", steady(2)}});
    const auto found = run(plenty);
    EXPECT_EQ(found.cases.at(0).figures.at(1).quantities.at(0).samples,
              (std::vector<double>{2, 2, 2}));
}

/// Samples that tell their own numbers: 0 warms up, and a round has one.
taking numbered(std::size_t i) {
    return sample_of(static_cast<double>(i));
}

TEST_F(runner, a_round_that_was_disturbed_is_repeated_and_dropped) {
    add_case("one", {{"a", numbered}});
    disturb([](std::size_t round) { return round == 1 ? 0.5 : 0.05; });
    const auto found = run({.fewest = 3, .most = 3, .repeated = 2, .usual = 60s, .longest = 90s});
    const auto& about = found.cases.at(0);
    EXPECT_EQ(about.figures.at(0).quantities.at(0).samples, (std::vector<double>{1, 3, 4}));
    EXPECT_EQ(about.rounds.counted, 3U);
    EXPECT_EQ(about.rounds.repeated, 1U);
    EXPECT_EQ(about.rounds.disturbed, 0U);
    EXPECT_TRUE(std::ranges::any_of(found.warnings, [](const std::string& each) {
        return each.starts_with("1 rounds were disturbed and do not count");
    }));
}

TEST_F(runner, where_all_are_disturbed_no_more_are_repeated_than_may_be) {
    add_case("one", {{"a", numbered}});
    disturb([](std::size_t) { return 0.5; });
    const auto found = run({.fewest = 3, .most = 3, .repeated = 2, .usual = 60s, .longest = 90s});
    const auto& about = found.cases.at(0);
    EXPECT_EQ(about.figures.at(0).quantities.at(0).samples, (std::vector<double>{3, 4, 5}));
    EXPECT_EQ(about.rounds,
              (sluice::lab::round_count{.counted = 3, .disturbed = 3, .repeated = 2}));
    EXPECT_THAT(said_, testing::HasSubstr("round 3 of 3")) << "a repeated round is no further one";
    EXPECT_THAT(said_, testing::Not(testing::ContainsRegex("round [45]")));
}

TEST_F(runner, where_time_is_up_the_least_disturbed_count) {
    add_case("one", {{"a", [this](std::size_t i) {
                          if (i == 3) now_ += 500ms;
                          return numbered(i);
                      }}});
    disturb([](std::size_t round) { return std::vector{0.4, 0.9, 0.6}.at(round); });
    const auto found =
        run({.fewest = 2, .most = 5, .repeated = 2, .usual = 400ms, .longest = 500ms});
    const auto& about = found.cases.at(0);
    EXPECT_EQ(about.figures.at(0).quantities.at(0).samples, (std::vector<double>{3, 1}));
    EXPECT_EQ(about.rounds,
              (sluice::lab::round_count{.counted = 2, .disturbed = 2, .repeated = 1}));
}

TEST_F(runner, a_sample_that_waited_for_its_core_disturbs_its_round) {
    add_case("one", {{"a", [](std::size_t i) -> taking {
                          auto one = sample_of(static_cast<double>(i));
                          one.run_queue_wait = i == 1 ? 0.3 : 0.01;
                          return one;
                      }}});
    disturb([](std::size_t) { return 0.0; });
    const auto found = run({.fewest = 2, .most = 2, .repeated = 2, .usual = 60s, .longest = 90s});
    EXPECT_EQ(found.cases.at(0).figures.at(0).quantities.at(0).samples,
              (std::vector<double>{2, 3}));
    EXPECT_EQ(found.cases.at(0).rounds.repeated, 1U);
}

TEST_F(runner, what_was_disturbed_is_repeated_after_the_usual_time_too) {
    add_case("one", {{"a", [this](std::size_t i) {
                          if (i == 1) now_ += 50ms;
                          return numbered(i);
                      }}});
    disturb([](std::size_t round) { return round == 0 ? 0.4 : 0; });
    const auto found = run({.fewest = 2, .most = 5, .repeated = 2, .usual = 50ms, .longest = 90s});
    EXPECT_EQ(found.cases.at(0).figures.at(0).quantities.at(0).samples,
              (std::vector<double>{2, 3}));
    EXPECT_EQ(found.cases.at(0).rounds,
              (sluice::lab::round_count{.counted = 2, .disturbed = 0, .repeated = 1}));
}

TEST_F(runner, cases_take_turns) {
    for (const char* name : {"one", "two"}) {
        add_case(name, {{std::string{"of "} + name, numbered}});
    }
    run({.fewest = 3, .most = 3, .usual = 60s, .longest = 90s});
    ASSERT_EQ(taken_.size(), 8U);
    EXPECT_EQ(taken_, (std::vector<std::string>{"of one", "of one", "of two", "of two", "of one",
                                                "of two", "of one", "of two"}))
        << "each warms up, and then they have a round each";
}

TEST_F(runner, a_case_may_have_several_rounds_a_turn) {
    add_case("one", {{"of one", numbered}});
    add_case("two", {{"of two", numbered}}).rounds_a_turn = 2;
    run({.fewest = 2, .most = 4, .usual = 60s, .longest = 90s});
    EXPECT_EQ(taken_, (std::vector<std::string>{"of one", "of one", "of two", "of two", "of two",
                                                "of one", "of two", "of two", "of one", "of one"}))
        << "each warms up, and then one has a round for two of the other";
}

TEST_F(runner, a_case_in_which_a_round_was_disturbed_comes_first_in_the_next_turn) {
    for (const char* name : {"one", "two"}) {
        add_case(name, {{std::string{"of "} + name, numbered}});
    }
    disturb([](std::size_t round) { return round == 1 ? 0.5 : 0; });
    run({.fewest = 2, .most = 2, .repeated = 2, .usual = 60s, .longest = 90s});
    EXPECT_EQ(taken_, (std::vector<std::string>{"of one", "of one", "of two", "of two", "of two",
                                                "of one", "of two"}))
        << "it is ahead of the other, and has a round more";
}

TEST_F(runner, all_cases_have_as_many_rounds_however_long_theirs_are) {
    const auto lasting = [this](std::chrono::milliseconds time) {
        return [this, time](std::size_t) -> taking {
            now_ += time;
            return sample_of(1);
        };
    };
    add_case("slow", {{"a", lasting(30ms)}});
    add_case("fast", {{"b", lasting(1ms)}});
    add_case("also fast", {{"c", lasting(1ms)}});
    const auto begun = now_;
    const auto found =
        run({.fewest = 1000, .most = 1000, .repeated = 2, .usual = 0s, .longest = 300ms}, 0);
    EXPECT_LE(now_ - begun, 300ms);
    ASSERT_EQ(found.cases.size(), 3U);
    const auto slow = found.cases[0].rounds.counted;
    EXPECT_GE(slow, 1U);
    EXPECT_LE(slow, 10U);
    // The last round of the slow one may be too long for the time that is left.
    EXPECT_GE(found.cases[1].rounds.counted, slow);
}

TEST_F(runner, who_fails_is_left_out_with_the_reason_said_once) {
    const auto broken = [](std::size_t) -> taking { return std::unexpected{"it is broken"}; };
    for (const char* name : {"one", "two"}) add_case(name, {{"a", steady(1)}, {"b", broken}});
    const auto found = run(plenty);
    ASSERT_EQ(found.cases.size(), 2U);
    EXPECT_EQ(found.cases[0].figures.size(), 1U);
    EXPECT_EQ(std::ranges::count(found.warnings, "made up: b was left out: it is broken."), 1);
    EXPECT_EQ(why_, "");
}

TEST_F(runner, where_all_fail_there_is_no_report_but_the_reason) {
    add_case("one", {{"a", [](std::size_t) -> taking { return std::unexpected{"no room"}; }}});
    const auto found = run(plenty);
    EXPECT_TRUE(found.cases.empty());
    EXPECT_EQ(why_, "no room");
}

TEST_F(runner, an_interruption_keeps_whole_rounds_alone) {
    const interruption stop;
    const auto interrupts = [](std::size_t i) -> taking {
        if (i == 3) ::raise(SIGINT);
        return sample_of(static_cast<double>(i));
    };
    add_case("one", {{"a", interrupts}, {"b", interrupts}});
    add_case("two", {{"c", steady(1)}});
    const auto found = run(plenty, 0);
    EXPECT_TRUE(found.interrupted);
    EXPECT_NE(taken_.back(), "c") << "nothing is begun after it";
    const auto after = std::ranges::find(taken_, "c");
    ASSERT_NE(after, taken_.end()) << "the cases take turns";
    const auto& rows = found.cases.at(0).figures;
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].quantities[0].samples.size(), rows[1].quantities[0].samples.size());
    EXPECT_GE(rows[0].quantities[0].samples.size(), 2U);
}

}  // namespace
