// `sluice passwd`: makes, changes and removes accounts in a file.
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/auth/account_file.hpp"
#include "sluice/auth/accounts.hpp"
#include "sluice/cli/auth/names.hpp"
#include "sluice/cli/auth/password_input.hpp"
#include "sluice/cli/auth/rights.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::cli {
namespace {

using problem = std::unexpected<std::string>;

struct passwd_settings {
    std::string file;
    std::string name;
    std::vector<std::string> allow;
    bool remove = false;
    bool no_password = false;
    bool keep_password = false;
    bool new_tokens = false;

    [[nodiscard]] bool is_anonymous() const noexcept { return name == auth::anonymous_name; }
    [[nodiscard]] bool asks_password() const noexcept {
        return !remove && !no_password && !keep_password && !is_anonymous();
    }
};

/// Why the flags do not go together; empty if they do.
std::string why_not_together(const passwd_settings& s) {
    const bool changes = !s.allow.empty() || s.no_password || s.keep_password || s.new_tokens;
    if (s.remove && changes) return "--remove takes the account out; leave the other flags out";
    if (s.no_password && s.keep_password) {
        return "--no-password and --keep-password exclude each other; leave one of them out";
    }
    if (s.is_anonymous() && (s.keep_password || s.new_tokens)) {
        return "clients without a name have neither password nor tokens; leave --keep-password and "
               "--new-tokens out";
    }
    return {};
}

/// A file of accounts, as text and read.
struct account_contents {
    std::string text;
    auth::accounts all;

    [[nodiscard]] const auth::account* find(const passwd_settings& s) const noexcept {
        return s.is_anonymous() ? all.anonymous() : all.find(s.name);
    }
};

/// An empty one where there is no file.
std::expected<account_contents, std::string> read_accounts(const std::string& file) {
    std::string text;
    if (os::sys().faccessat(AT_FDCWD, file.c_str(), F_OK, 0) != -ENOENT) {
        auto found = auth::read_account_file(file);
        if (!found) return problem{std::move(found.error())};
        text = std::move(*found);
    }
    auto all = auth::accounts::parse(text, file, why_no_right);
    if (!all) return problem{std::move(all.error())};
    return account_contents{.text = std::move(text), .all = std::move(*all)};
}

/// The account as it is to be, from what it was, if it was.
auth::account changed_account(const auth::account* before, const passwd_settings& s,
                              std::optional<auth::password_hash> hash) {
    auth::account now = before != nullptr ? *before : auth::account{.name = s.name};
    if (!s.keep_password) now.password = std::move(hash);
    if (!s.is_anonymous() && (!now.token_key || s.new_tokens)) {
        now.token_key = auth::secret_key::draw();
    }
    if (!s.allow.empty()) now.rights = s.allow;
    if (now.rights.empty()) {
        now.rights = s.is_anonymous() ? std::vector<std::string>{"read"}
                                      : std::vector<std::string>{"read", "overwrite"};
    }
    return now;
}

/// Why the account that `s` names cannot be what it asks for; empty if it can.
std::string why_missing(const auth::account* found, const passwd_settings& s) {
    if (found != nullptr || (!s.remove && !s.keep_password)) return {};
    return fmt::format("{} has no account {}", s.file, s.name);
}

/// Changes the file, whose name is `file` without links. What is to be said, or the error.
std::expected<std::string, std::string> change_file(const std::string& file,
                                                    const passwd_settings& s,
                                                    std::optional<auth::password_hash> hash) {
    const auto unwritable = [&](error why) {
        return problem{fmt::format("cannot write {}: {}", s.file, why.message())};
    };
    const auto lock = auth::lock_account_file(file);
    if (!lock) return unwritable(lock.error());
    auto now = read_accounts(file);
    if (!now) return problem{std::move(now.error())};
    const auth::wipe_at_end wipe_old{now->text};
    const auto* const before = now->find(s);
    if (std::string why = why_missing(before, s); !why.empty()) return problem{std::move(why)};
    std::string line;
    const auth::wipe_at_end wipe_line{line};
    std::string said = fmt::format("{} is removed from {}", s.name, s.file);
    if (!s.remove) {
        const auto account = changed_account(before, s, std::move(hash));
        line = auth::to_line(account);
        said = fmt::format("{} is {} in {}, with the rights {}", s.name,
                           before == nullptr ? "new" : "changed", s.file,
                           auth::rights_text(account.rights));
    }
    std::string text = auth::with_line(now->text, s.name, line);
    const auth::wipe_at_end wipe_new{text};
    if (const auto written = auth::write_account_file(file, text); !written) {
        return unwritable(written.error());
    }
    return said;
}

/// Asks for the password, and changes the file.
std::expected<std::string, std::string> ask_and_change(const passwd_settings& s) {
    // The file itself is replaced, not a link to it.
    std::string file;
    if (os::sys().realpath(s.file.c_str(), file) < 0) file = s.file;
    // Twice: here, lest a password is typed for nothing, and once no other command can change it.
    {
        auto now = read_accounts(file);
        if (!now) return problem{std::move(now.error())};
        const auth::wipe_at_end wipe{now->text};
        if (std::string why = why_missing(now->find(s), s); !why.empty()) {
            return problem{std::move(why)};
        }
    }
    std::optional<auth::password_hash> hash;
    if (s.asks_password()) {
        auto password = read_new_password(s.name);
        if (!password) return problem{std::move(password.error())};
        const auth::wipe_at_end wipe{*password};
        hash = auth::password_hash::make(*password);
    }
    return change_file(file, s, std::move(hash));
}

exit_status run_passwd(const CLI::App& command, const passwd_settings& s) {
    if (const std::string why = why_not_together(s); !why.empty()) {
        return report_usage_error(command, why);
    }
    const auto done = ask_and_change(s);
    // A name of a file, or a right in one, may hold anything.
    if (!done) return announce_failure(wire::printable(done.error()));
    announce(wire::printable(*done));
    return exit_status::done;
}

}  // namespace

void add_passwd(commands& all) {
    auto* command =
        all.root().add_subcommand("passwd", "Make, change or remove the account of a user");
    auto s = std::make_shared<passwd_settings>();
    command->add_option("FILE", s->file, "The file; made if there is none")
        ->type_name("")
        ->required();
    add_value(*command, "NAME", s->name, read_account_or_anonymous, "",
              "The account; * for clients without a name")
        ->required();
    add_list(*command, "--allow", s->allow, why_no_right, "WHAT[:PATH]",
             "What it may do (that of before, or read,overwrite)");
    command->add_flag("--remove", s->remove, "Remove it, with all its tokens");
    command->add_flag("--no-password", s->no_password, "It has tokens alone");
    command->add_flag("--keep-password", s->keep_password, "Change the rest and ask for none");
    command->add_flag("--new-tokens", s->new_tokens, "End the tokens that were made for it");
    command->footer(
        "WHAT is read, upload, overwrite, delete or all (of these), with a PATH below\n"
        "which it holds, as in upload:/inbox; or chat, ask, talk or metrics. The new password is\n"
        "asked for twice on a terminal, or is the first line of stdin.");
    all.on(*command, [s, command] { return run_passwd(*command, *s); });
}

}  // namespace sluice::cli
