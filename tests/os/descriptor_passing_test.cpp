// Messages keep their bounds, carry descriptors, and tell that the other end is gone.
#include "sluice/os/descriptor_passing.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

namespace sluice::os {
namespace {

TEST(descriptor_passing, copies_are_closed_on_exec_and_reach_the_same_file) {
    const auto pair = make_message_pair();
    ASSERT_TRUE(pair);
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const unique_fd from{ends[0]};
    unique_fd into{ends[1]};
    const std::array sent{into.get(), into.get()};
    ASSERT_TRUE(send_message(pair->one.get(), "two of a kind", sent));
    ASSERT_TRUE(send_message(pair->one.get(), "none"));
    into.reset();
    {
        const auto received = receive_message(pair->other.get());
        ASSERT_TRUE(received);
        EXPECT_EQ(received->text, "two of a kind");
        ASSERT_EQ(received->descriptors.size(), 2U);
        for (const auto& each : received->descriptors) {
            EXPECT_EQ(::fcntl(each.get(), F_GETFD), FD_CLOEXEC);
            EXPECT_EQ(::write(each.get(), "x", 1), 1);
        }
    }
    std::array<char, 4> bytes{};
    EXPECT_EQ(::read(from.get(), bytes.data(), bytes.size()), 2);
    EXPECT_EQ(::read(from.get(), bytes.data(), bytes.size()), 0) << "no copy is left";
    const auto plain = receive_message(pair->other.get());
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->text, "none");
    EXPECT_TRUE(plain->descriptors.empty());
}

TEST(descriptor_passing, nothing_waits) {
    auto pair = make_message_pair();
    ASSERT_TRUE(pair);
    const auto none = receive_message(pair->one.get());
    ASSERT_FALSE(none);
    EXPECT_TRUE(none.error().is(EAGAIN));
    const std::string longest(descriptor_message::longest, 'x');
    auto sent = send_message(pair->one.get(), longest + 'x');
    ASSERT_FALSE(sent);
    EXPECT_TRUE(sent.error().is(E2BIG));
    int messages = 0;
    for (sent = send_message(pair->one.get(), longest); sent;) {
        sent = send_message(pair->one.get(), longest);
        ASSERT_LT(++messages, 100'000);
    }
    EXPECT_TRUE(sent.error().is(EAGAIN));
    EXPECT_EQ(receive_message(pair->other.get())->text, longest);
}

TEST(descriptor_passing, the_end_is_an_empty_message) {
    auto pair = make_message_pair();
    ASSERT_TRUE(pair);
    ASSERT_TRUE(send_message(pair->one.get(), "last"));
    pair->one.reset();
    EXPECT_EQ(receive_message(pair->other.get())->text, "last");
    EXPECT_EQ(receive_message(pair->other.get())->text, "");
    const auto sent = send_message(pair->other.get(), "too late");
    ASSERT_FALSE(sent);
    EXPECT_TRUE(sent.error().is(EPIPE));
}

}  // namespace
}  // namespace sluice::os
