// Who is where: numbers never used twice, names that are one whatever their capitals and however
// they are spelled, rooms that come and go with their members.
#include "sluice/chat/server/directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace sluice::chat {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr std::size_t many = 1000;

class chat_directory : public ::testing::Test {
 protected:
    using entry = directory::entry;

    /// A newcomer, of that name and in that room if they are given.
    entry& come(const std::string& name = {}, const std::string& room = {}, std::size_t shard = 0) {
        entry& who = entries.emplace_back();
        EXPECT_TRUE(people.admit(who, shard, many));
        if (!name.empty()) {
            EXPECT_EQ(people.rename(who, name), std::nullopt);
        }
        if (!room.empty()) {
            EXPECT_TRUE(people.move(who, room, many));
        }
        return who;
    }
    directory people;
    std::deque<entry> entries;
};

TEST_F(chat_directory, numbers_newcomers_and_never_twice) {
    entry& one = come();
    entry& two = come();
    EXPECT_EQ(one.name(), "Client 1");
    EXPECT_EQ(two.name(), "Client 2");
    EXPECT_NE(one.id(), two.id());
    people.remove(two);
    EXPECT_EQ(come().name(), "Client 3");
}

TEST_F(chat_directory, admits_so_many_and_no_more) {
    entry a;
    entry b;
    entry c;
    EXPECT_TRUE(people.admit(a, 0, 2));
    EXPECT_TRUE(people.admit(b, 1, 2));
    EXPECT_FALSE(people.admit(c, 0, 2));
    people.remove(a);
    EXPECT_TRUE(people.admit(c, 0, 2));
    EXPECT_FALSE(people.admit(a, 0, 2));
}

TEST_F(chat_directory, finds_people_whatever_the_capitals) {
    entry& ann = come("Ann", "", 2);
    for (const char* name : {"Ann", "ann", "ANN"}) {
        const auto found = people.find(name);
        ASSERT_TRUE(found) << name;
        EXPECT_EQ(found->name, "Ann");
        EXPECT_EQ(found->shard, 2U);
        EXPECT_EQ(found->id, 1U);
    }
    EXPECT_FALSE(people.find("Client 1"));
    EXPECT_FALSE(people.find("An"));
    EXPECT_FALSE(people.find("Anna"));
    people.remove(ann);
    EXPECT_FALSE(people.find("Ann"));
}

TEST_F(chat_directory, a_name_is_one_persons) {
    entry& ann = come("Ann");
    entry& bob = come("Bob", "lobby");
    EXPECT_EQ(people.rename(bob, "Ann"), "Ann");
    EXPECT_EQ(people.rename(bob, "aNN"), "Ann");
    EXPECT_EQ(people.rename(bob, "\u0410nn"), "Ann");
    EXPECT_EQ(people.find("bob")->name, "Bob");
    // One's own capitals may change, and nothing else does.
    EXPECT_EQ(people.rename(bob, "BOB"), std::nullopt);
    EXPECT_EQ(people.find("bob")->name, "BOB");
    EXPECT_EQ(people.find("bob")->id, 2U);
    EXPECT_THAT(people.names_in("lobby", many), ElementsAre("BOB"));
    // What was given up is free.
    EXPECT_EQ(people.rename(bob, "Carl"), std::nullopt);
    EXPECT_EQ(people.rename(ann, "bob"), std::nullopt);
}

TEST_F(chat_directory, what_looks_like_a_name_is_not_found_by_it) {
    come("AnnLee");
    EXPECT_TRUE(people.find("annlee"));
    EXPECT_FALSE(people.find("Ann Lee"));
    EXPECT_FALSE(people.find("\u0410nnLee"));
}

TEST_F(chat_directory, rooms_come_and_go_with_their_members) {
    entry& ann = come("Ann", "lobby");
    entry& bob = come("Bob", "lobby");
    entry& carl = come("Carl");
    EXPECT_EQ(people.room_count(), 1U);
    EXPECT_EQ(people.members_of("lobby"), 2U);
    EXPECT_EQ(people.members_of("attic"), 0U);
    EXPECT_TRUE(people.move(ann, "attic", many));
    EXPECT_THAT(people.rooms(many), ElementsAre(Pair("attic", 1U), Pair("lobby", 1U)));
    EXPECT_TRUE(people.move(bob, "attic", many));
    EXPECT_THAT(people.rooms(many), ElementsAre(Pair("attic", 2U)));
    EXPECT_EQ(people.members_of("lobby"), 0U);
    people.remove(ann);
    people.remove(bob);
    people.remove(carl);
    EXPECT_EQ(people.room_count(), 0U);
    EXPECT_THAT(people.names_in("attic", many), IsEmpty());
}

TEST_F(chat_directory, rooms_are_limited) {
    entry& ann = come("Ann", "lobby");
    entry& bob = come("Bob");
    EXPECT_TRUE(people.may_open("lobby", 1));
    EXPECT_FALSE(people.may_open("attic", 1));
    EXPECT_TRUE(people.may_open("attic", 2));
    EXPECT_FALSE(people.move(bob, "attic", 1));
    EXPECT_FALSE(people.move(ann, "attic", 1));
    EXPECT_EQ(people.members_of("lobby"), 1U);
    EXPECT_TRUE(people.move(bob, "lobby", 1));
    EXPECT_EQ(people.members_of("lobby"), 2U);
}

TEST_F(chat_directory, lists_the_first_to_come) {
    for (int i = 0; i < 200; ++i) come("M" + std::to_string(i), i % 2 == 0 ? "even" : "odd");
    EXPECT_THAT(people.names_in("even", 3), ElementsAre("M0", "M2", "M4"));
    EXPECT_EQ(people.names_in("odd", many).size(), 100U);
    EXPECT_EQ(people.names_in("odd", many).back(), "M199");
    EXPECT_THAT(people.names_in("even", 0), IsEmpty());
    EXPECT_THAT(people.rooms(1), ElementsAre(Pair("even", 100U)));
    EXPECT_THAT(people.rooms(0), IsEmpty());
}

TEST_F(chat_directory, a_burst_of_members_is_forgotten) {
    for (std::size_t i = 0; i < 5000; ++i) {
        EXPECT_TRUE(people.admit(entries.emplace_back(), 0, 5000));
        EXPECT_TRUE(people.move(entries.back(), "lobby", many));
    }
    EXPECT_EQ(people.members_of("lobby"), 5000U);
    for (entry& e : entries) people.remove(e);
    EXPECT_EQ(people.room_count(), 0U);
    EXPECT_EQ(come("Ann").name(), "Ann");
}

TEST_F(chat_directory, two_who_want_one_name_at_once_do_not_both_get_it) {
    constexpr int rounds = 500;
    std::atomic<int> got = 0;
    std::deque<entry> mine;
    std::deque<entry> others;
    const auto fight = [&](std::size_t shard, std::deque<entry>& here) {
        for (int i = 0; i < rounds; ++i) {
            entry& who = here.emplace_back();
            EXPECT_TRUE(people.admit(who, shard, 2 * rounds));
            if (!people.rename(who, "Ann" + std::to_string(i))) ++got;
            EXPECT_TRUE(people.move(who, "lobby", 1));
        }
    };
    std::thread other{fight, 1, std::ref(others)};
    fight(0, mine);
    other.join();
    EXPECT_EQ(got, rounds);
    EXPECT_EQ(people.members_of("lobby"), static_cast<std::size_t>(2 * rounds));
}

}  // namespace
}  // namespace sluice::chat
