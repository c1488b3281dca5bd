// Which way of sending has the next turn, by what the ways have cost.
#include "sluice/transfer/send_choice.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "tests/support/no_memory.hpp"

namespace sluice::transfer {
namespace {

constexpr std::uint64_t turn = std::uint64_t{32} << 20;
constexpr std::size_t ways = send_candidates.size();
using costs_per_byte = std::array<double, ways>;

/// Gives turns of these costs; how many each candidate had.
std::array<std::size_t, ways> run(send_costs& costs, std::size_t turns, const costs_per_byte& ns) {
    std::array<std::size_t, ways> had{};
    for (std::size_t i = 0; i < turns; ++i) {
        const std::size_t next = costs.next_turn();
        ++had.at(next);
        costs.add(next, turn, static_cast<std::uint64_t>(ns.at(next) * static_cast<double>(turn)));
    }
    return had;
}

std::size_t chosen(const send_costs& costs) {
    const auto rows = costs.rows();
    for (std::size_t i = 0; i < ways; ++i) {
        if (rows.at(i).chosen) return i;
    }
    return ways;
}

TEST(send_choice, is_made_without_memory_to_share_too) {
    test::no_memory linux;
    const os::kernel_in_place in_place{linux};
    EXPECT_LT(chosen(send_costs_of(peer_kind::network)), ways);
}

TEST(send_choice, each_way_is_measured_first) {
    send_costs costs;
    const auto had = run(costs, 3 * ways, {0.2, 0.1, 0.3});
    for (const std::size_t turns : had) EXPECT_EQ(turns, 3U);
}

TEST(send_choice, the_cheapest_has_nearly_all_turns) {
    for (std::size_t best = 0; best < ways; ++best) {
        send_costs costs;
        costs_per_byte ns{0.2, 0.2, 0.2};
        ns.at(best) = 0.1;
        const auto had = run(costs, 1000, ns);
        EXPECT_GT(had.at(best), 950U);
        for (const std::size_t turns : had) EXPECT_GT(turns, 10U);  // looked at now and then
        EXPECT_EQ(chosen(costs), best);
    }
}

TEST(send_choice, a_way_that_becomes_cheaper_is_taken) {
    send_costs costs;
    run(costs, 500, {0.1, 0.2, 0.3});
    EXPECT_EQ(chosen(costs), 0U);
    run(costs, 20'000, {0.2, 0.1, 0.3});
    EXPECT_EQ(chosen(costs), 1U);
}

TEST(send_choice, a_difference_that_may_be_noise_changes_nothing) {
    send_costs costs;
    run(costs, 500, {0.1, 0.2, 0.2});
    const auto had = run(costs, 500, {0.1, 0.0995, 0.2});
    EXPECT_GT(had.at(0), 480U);
}

TEST(send_choice, rows_say_what_was_measured) {
    send_costs costs;
    costs.add(1, std::uint64_t{1} << 30, 200'000'000);
    const auto rows = costs.rows();
    EXPECT_EQ(rows[1].how, to_socket::sendfile);
    EXPECT_EQ(rows[1].mebibytes, 1024U);
    EXPECT_EQ(rows[1].us_per_gibibyte, 200'000U);
    EXPECT_EQ(rows[0].mebibytes, 0U);
}

}  // namespace
}  // namespace sluice::transfer
