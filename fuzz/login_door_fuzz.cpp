// A connection to a door that asks who a client is, under any bytes and any split: it is told the
// same, and is never served.
#include <string_view>

#include "fuzz/door.hpp"
#include "fuzz/sample_accounts.hpp"
#include "sluice/auth/authenticator.hpp"
#include "sluice/auth/line_login.hpp"
#include "sluice/base/check.hpp"
#include "sluice/model/with_login.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::login_door_target {
namespace {

coro::task<void> be_served(model::session& /*client*/) {
    check(false, "a client that proved nothing is let in");
    co_return;
}

}  // namespace

void examine(std::string_view input) {
    const auto heard = same_for_any_split(stream::of(input), [](const stream& says) {
        return ask(
            [](worlds::stage& s) {
                auth::authenticator who{sample_accounts("chat"), {}};
                const auth::line_door door{
                    .who = &who,
                    .admits = [](const auth::identity& known) { return known.has("chat"); },
                    .purpose = "talk in the chat"};
                serve(s, {.serve = model::with_login(door, &be_served)});
            },
            says);
    });
    check(heard.starts_with(auth::question_line), "a client that is not asked");
    auto told = std::string_view{heard}.substr(auth::question_line.size());
    check(!told.starts_with(auth::welcome), "a client that proved nothing is welcome");
    check(wire::is_printable(wire::without_line_end(told)), "a refusal that a terminal obeys");
}

}  // namespace sluice::fuzz::login_door_target
