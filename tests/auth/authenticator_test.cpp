// The accounts as doors ask them: more passwords at once than may wait.
#include "sluice/auth/authenticator.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/auth/account.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/net/address.hpp"
#include "tests/auth/sample.hpp"
#include "tests/support/engine_test.hpp"

namespace sluice::test {
namespace {

std::string account_line(std::string_view name, auth::scrypt_cost cost) {
    auth::account made{.name = std::string{name}};
    made.password = auth::password_hash::make("right", cost);
    made.token_key = auth::secret_key::draw();
    made.rights = {"read"};
    return to_line(made) + '\n';
}

class logins : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, logins, ::testing::ValuesIn(every_loop()), engine_name);

coro::task<> log_in(auth::authenticator& who, io::engine& engine, std::string name,
                    std::vector<auth::login>& into) {
    auth::login done = co_await who.check(engine, auth::credentials{std::move(name), "right"},
                                          net::address::loopback(1));
    into.push_back(std::move(done));
}

TEST_P(logins, that_find_too_many_waiting_are_told_so_and_not_taken_for_guesses) {
    // The first takes the thread for longer than the others take to come.
    const auto text =
        account_line("slow", auth::scrypt_cost{}) + account_line("quick", auth::quick);
    auto known = auth::accounts::parse(text, "accounts", auth::any_right);
    ASSERT_TRUE(known) << known.error();
    auth::authenticator who{std::move(*known), {}};
    std::vector<auth::login> done;
    constexpr std::size_t more = 200;
    run([&]() -> coro::task<> {
        coro::scope clients{co_await coro::this_context()};
        EXPECT_TRUE(clients.spawn(log_in(who, engine(), "slow", done)));
        for (std::size_t i = 0; i < more; ++i) {
            EXPECT_TRUE(clients.spawn(log_in(who, engine(), "quick", done)));
        }
        co_await clients.join();
        // Nor is the next one.
        co_await log_in(who, engine(), "quick", done);
    });
    ASSERT_EQ(done.size(), more + 2);
    const auto refused = std::ranges::count_if(done, [](const auto& each) { return !each; });
    // 64 wait, and one is at work, unless it has not begun yet.
    EXPECT_THAT(refused, ::testing::AnyOf(more - 64, more - 63));
    for (const auto& each : done) {
        EXPECT_EQ(each ? auth::login_refusal::busy : each.error(), auth::login_refusal::busy);
    }
    EXPECT_TRUE(done.back());
}

}  // namespace
}  // namespace sluice::test
