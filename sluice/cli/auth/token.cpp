// `sluice token`: prints a token of an account.
#include "sluice/auth/token.hpp"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sluice/auth/accounts.hpp"
#include "sluice/cli/auth/names.hpp"
#include "sluice/cli/auth/rights.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::cli {
namespace {

using problem = std::unexpected<std::string>;
using namespace std::chrono_literals;

struct token_settings {
    std::string name;
    std::string file;
    std::vector<std::string> allow;
    std::chrono::milliseconds expires{7 * 24h};
};

/// At least a second: a token that is of no use when it is printed is a mistake.
reading<std::chrono::milliseconds> read_expiry(std::string_view text) {
    constexpr duration_up_to limit{.longest = 3653 * 24h, .in_words = "10 years"};
    auto time = limit(text);
    if (time && *time < 1s) return std::unexpected{in_quotes(text) + " is less than a second"};
    return time;
}

std::expected<std::string, std::string> make_token_text(const token_settings& s) {
    const auto all = auth::accounts::load(s.file, why_no_right);
    if (!all) return problem{all.error()};
    const auto* const found = all->find(s.name);
    if (found == nullptr) return problem{fmt::format("{} has no account {}", s.file, s.name)};
    rights held;
    for (const auto& each : found->rights) static_cast<void>(held.grant(each));
    for (const auto& each : s.allow) {
        if (held.cover(each)) continue;
        return problem{fmt::format("{} has no right to {}; it has {}", s.name, each,
                                   auth::rights_text(found->rights))};
    }
    const auto now = std::chrono::floor<std::chrono::seconds>(os::wall_clock_now());
    auto token =
        auth::make_token({.name = s.name,
                          .expires = now + std::chrono::floor<std::chrono::seconds>(s.expires),
                          .rights = s.allow.empty() ? found->rights : s.allow,
                          .id = os::sys().random()},
                         *found->token_key);
    if (!token) {
        return problem{
            fmt::format("the token would be longer than {} bytes; give it fewer rights by --allow",
                        auth::longest_token)};
    }
    return std::move(*token);
}

}  // namespace

void add_token(commands& all) {
    auto* command =
        all.root().add_subcommand("token", "Print a token that stands for an account for a time");
    auto s = std::make_shared<token_settings>();
    add_value(*command, "NAME", s->name, read_account_name, "", "The account")->required();
    command->add_option("--auth", s->file, "The file of accounts")->type_name("FILE")->required();
    add_list(*command, "--allow", s->allow, why_no_right, "WHAT[:PATH]",
             "Its rights, of those of the account (all of them)");
    add_value(*command, "--expires", s->expires, read_expiry, "TIME",
              "How long it is good, up to 10 years, as in 12h (7d)");
    command->footer("`sluice passwd --new-tokens` ends all tokens of an account.");
    all.on(*command, [s] {
        const auto token = make_token_text(*s);
        // A name of a file, or a right in one, may hold anything.
        if (!token) return announce_failure(wire::printable(token.error()));
        print(*token + '\n');
        return exit_status::done;
    });
}

}  // namespace sluice::cli
