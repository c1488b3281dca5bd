// Implements the options that name a file of accounts.
#include "sluice/cli/auth/server_auth.hpp"

#include <fmt/format.h>

#include <utility>

#include "sluice/cli/auth/rights.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/server_listeners.hpp"

namespace sluice::cli {

void add_server_auth_options(CLI::App& command, server_auth_options& into,
                             const std::string& group) {
    command
        .add_option("--auth", into.accounts,
                    "Ask who it is: a file of accounts, as sluice passwd makes it, which says who "
                    "may do what")
        ->type_name("FILE")
        ->group(group);
    command
        .add_flag("--insecure-auth", into.insecure,
                  "Take passwords and tokens in the clear beyond this machine, too")
        ->group(group);
}

std::expected<std::unique_ptr<auth::authenticator>, std::string> open_server_auth(
    const serve_options& common, const std::vector<std::string>& where) {
    if (!common.auth.on()) return nullptr;
    for (const auto& each : where) {
        if (common.tls.is_required() || common.auth.insecure || is_on_this_machine(each, common)) {
            continue;
        }
        return std::unexpected{fmt::format(
            "--auth at {} would have passwords travel in the clear; say --tls, or --insecure-auth "
            "if that is meant",
            each)};
    }
    auto known = load_accounts(common.auth);
    if (!known) return std::unexpected{known.error()};
    return std::make_unique<auth::authenticator>(
        std::move(*known), [](std::string_view line) { log(log_level::warn, line); });
}

std::expected<auth::accounts, std::string> load_accounts(const server_auth_options& o) {
    return auth::accounts::load(o.accounts, why_no_right);
}

auth::line_door door_with_right(auth::authenticator* who, std::string_view word,
                                std::string_view purpose) {
    return {.who = who,
            .admits = [word](const auth::identity& client) { return client.has(word); },
            .purpose = purpose};
}

}  // namespace sluice::cli
