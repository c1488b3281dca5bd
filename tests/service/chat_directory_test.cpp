// Who is where: numbers never used twice, names that are one whatever their capitals, rooms that
// come and go with their members.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/service/chat/directory.hpp"

namespace sluice::service::chat {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr std::size_t many = 1000;

class chat_directory : public ::testing::Test {
 protected:
    /// A newcomer of that name, in that room if there is one.
    void come(const std::string& name, const std::string& room = {}) {
        const auto who = people.admit(0, many);
        ASSERT_TRUE(who);
        ASSERT_TRUE(people.rename(who->name, name));
        if (!room.empty()) {
            ASSERT_TRUE(people.move(name, room, many));
        }
    }
    directory people;
};

TEST_F(chat_directory, numbers_newcomers_and_never_twice) {
    const auto one = people.admit(0, many);
    const auto two = people.admit(3, many);
    ASSERT_TRUE(one && two);
    EXPECT_EQ(one->name, "Client 1");
    EXPECT_EQ(two->name, "Client 2");
    EXPECT_NE(one->id, two->id);
    people.remove("Client 2");
    const auto three = people.admit(0, many);
    EXPECT_EQ(three->name, "Client 3");
    EXPECT_NE(three->id, two->id);
}

TEST_F(chat_directory, admits_so_many_and_no_more) {
    EXPECT_TRUE(people.admit(0, 2));
    EXPECT_TRUE(people.admit(1, 2));
    EXPECT_FALSE(people.admit(0, 2));
    people.remove("Client 1");
    EXPECT_TRUE(people.admit(0, 2));
    EXPECT_FALSE(people.admit(0, 2));
}

TEST_F(chat_directory, finds_people_whatever_the_capitals) {
    EXPECT_TRUE(people.admit(2, many));
    ASSERT_TRUE(people.rename("Client 1", "Ann"));
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
    people.remove("ann");
    EXPECT_FALSE(people.find("Ann"));
    people.remove("nobody");
}

TEST_F(chat_directory, a_name_is_one_persons) {
    come("Ann");
    come("Bob", "lobby");
    EXPECT_FALSE(people.rename("Bob", "Ann"));
    EXPECT_FALSE(people.rename("Bob", "aNN"));
    EXPECT_EQ(people.find("bob")->name, "Bob");
    // One's own capitals may change, and nothing else does.
    EXPECT_TRUE(people.rename("Bob", "BOB"));
    EXPECT_EQ(people.find("bob")->name, "BOB");
    EXPECT_EQ(people.find("bob")->id, 2U);
    EXPECT_THAT(people.names_in("lobby", many), ElementsAre("BOB"));
    // What was given up is free.
    EXPECT_TRUE(people.rename("BOB", "Carl"));
    EXPECT_TRUE(people.rename("Ann", "bob"));
}

TEST_F(chat_directory, rooms_come_and_go_with_their_members) {
    come("Ann", "lobby");
    come("Bob", "lobby");
    come("Carl");
    EXPECT_EQ(people.room_count(), 1U);
    EXPECT_EQ(people.members_of("lobby"), 2U);
    EXPECT_EQ(people.members_of("attic"), 0U);
    EXPECT_TRUE(people.move("Ann", "attic", many));
    EXPECT_THAT(people.rooms(many), ElementsAre(Pair("attic", 1U), Pair("lobby", 1U)));
    EXPECT_TRUE(people.move("Bob", "attic", many));
    EXPECT_THAT(people.rooms(many), ElementsAre(Pair("attic", 2U)));
    EXPECT_EQ(people.members_of("lobby"), 0U);
    people.remove("Ann");
    people.remove("Bob");
    people.remove("Carl");
    EXPECT_EQ(people.room_count(), 0U);
    EXPECT_THAT(people.names_in("attic", many), IsEmpty());
}

TEST_F(chat_directory, rooms_are_limited) {
    come("Ann", "lobby");
    come("Bob");
    EXPECT_TRUE(people.may_open("lobby", 1));
    EXPECT_FALSE(people.may_open("attic", 1));
    EXPECT_TRUE(people.may_open("attic", 2));
    EXPECT_FALSE(people.move("Bob", "attic", 1));
    EXPECT_FALSE(people.move("Ann", "attic", 1));
    EXPECT_EQ(people.members_of("lobby"), 1U);
    EXPECT_TRUE(people.move("Bob", "lobby", 1));
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

TEST_F(chat_directory, two_who_want_one_name_at_once_do_not_both_get_it) {
    constexpr int rounds = 500;
    std::atomic<int> got = 0;
    std::atomic<int> admitted = 0;
    const auto fight = [&](std::size_t shard) {
        for (int i = 0; i < rounds; ++i) {
            const auto who = people.admit(shard, many);
            if (!who) continue;
            ++admitted;
            const bool mine = people.rename(who->name, "Ann" + std::to_string(i));
            if (mine) ++got;
            static_cast<void>(
                people.move(mine ? "ann" + std::to_string(i) : who->name, "lobby", 1));
        }
    };
    std::thread other{fight, 1};
    fight(0);
    other.join();
    EXPECT_EQ(got, rounds);
    EXPECT_EQ(admitted, 2 * rounds);
    EXPECT_EQ(people.members_of("lobby"), static_cast<std::size_t>(2 * rounds));
}

}  // namespace
}  // namespace sluice::service::chat
