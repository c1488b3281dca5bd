// Implements the options that say who may do what to files.
#include "sluice/cli/files/access.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/stat.h>

#include <utility>

#include "sluice/cli/auth/rights.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/run_server.hpp"
#include "sluice/http/authority.hpp"
#include "sluice/http/visitor_origin.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/sandbox/capabilities.hpp"

namespace sluice::cli {
namespace {

using files::operation;

std::string why_no_grant(std::string_view text) {
    files::permissions unused;
    const auto granted = unused.grant(text);
    return granted ? std::string{} : granted.error();
}

std::string why_no_host(std::string_view text) {
    if (http::is_authority(text) && text.find(':') == std::string_view::npos) return {};
    return in_quotes(text) + " is no name of a host; write it as in files.example.org";
}

}  // namespace

void add_file_access_options(CLI::App& command, file_access& into) {
    constexpr auto group = "Who may do what";
    command.add_flag("--read-only", into.read_only, "Give files, and take none")->group(group);
    add_list(command, "--allow", into.allow, why_no_grant, "WHAT[:PATH]",
             "What visitors may do: upload, overwrite, delete or all, everywhere or below PATH, as "
             "in upload:/inbox (overwrite on this machine, nothing beyond it)");
    command.add_flag("--allow-delete", into.allow_delete, "Files may be removed, too")
        ->group(group);
    add_list(command, "--host", into.hosts, why_no_host, "NAME",
             "A name of this server beside its addresses and the name of this machine");
    add_list(command, "--cors", into.pages, http::visitor_origin::why_no_page, "ORIGIN",
             "Pages from there may read, and do what visitors may, as in https://example.org");
    command
        .add_flag("--raw-any", into.raw_any,
                  "Keep streams that begin as HTTP and TLS do, too, which a web page can send")
        ->group(group);
    command
        .add_option("--auth", into.accounts,
                    "Ask who it is: a file of accounts, as sluice passwd makes it, which says who "
                    "may do what")
        ->type_name("FILE");
    command
        .add_flag("--insecure-auth", into.insecure_auth,
                  "Take passwords and tokens in the clear beyond this machine, too")
        ->group(group);
    for (const auto* name : {"--allow", "--host", "--cors", "--auth"}) {
        command.get_option(name)->group(group);
    }
}

std::expected<files::permissions, std::string> permissions_at(const std::string& where,
                                                              const file_access& access,
                                                              const serve_options& common) {
    files::permissions all;
    const bool says_what = access.read_only || !access.allow.empty() || access.allow_delete;
    if (!access.accounts.empty() && says_what) {
        return std::unexpected{
            "--auth names a file that says who may do what; leave --allow, --allow-delete and "
            "--read-only out, and give visitors without a name a line '* - - read' there"};
    }
    if (!access.accounts.empty()) return all;
    if (access.read_only && (!access.allow.empty() || access.allow_delete)) {
        return std::unexpected{
            "--read-only takes nothing, and --allow names what it takes; leave one of them out"};
    }
    if (access.read_only) return all;
    for (const auto& each : access.allow) static_cast<void>(all.grant(each));
    if (access.allow_delete) all.grant(operation::remove, {});
    const bool said = !access.allow.empty();
    if (!said && (common.open || is_on_this_machine(where))) all.grant(operation::overwrite, {});
    return all;
}

std::string visitors_of(const files::permissions& allowed, const file_access& access) {
    if (!access.accounts.empty()) return "do what their accounts allow";
    const std::string changes = allowed.description();
    return changes.empty() ? std::string{"read all files"}
                           : fmt::format("read all files, and {}", changes);
}

namespace {

std::expected<auth::accounts, std::string> load_accounts(const file_access& access) {
    return auth::accounts::load(access.accounts, why_no_right);
}

}  // namespace

std::expected<std::unique_ptr<files::visitors>, std::string> open_visitors(
    const std::string& where, const file_access& access, const serve_options& common) {
    if (access.accounts.empty()) return nullptr;
    if (!common.tls.on() && !access.insecure_auth && !is_on_this_machine(where)) {
        return std::unexpected{fmt::format(
            "--auth at {} would have passwords travel in the clear; say --tls, or --insecure-auth "
            "if that is meant",
            where)};
    }
    auto known = load_accounts(access);
    if (!known) return std::unexpected{known.error()};
    return std::make_unique<files::visitors>(
        std::move(*known), [](std::string_view line) { log(log_level::warn, line); });
}

std::expected<void, std::string> reload_visitors(files::visitors& into, const file_access& access) {
    auto known = load_accounts(access);
    if (!known) return std::unexpected{known.error()};
    into.replace(std::move(*known));
    return {};
}

namespace {

/// What root needs to go on keeping files for another user, to whom the directory belongs:
/// Landlock confines it to this directory.
std::uint64_t capabilities_in(const files::store& store, const sandbox_options& o) {
    struct stat found{};
    os::kernel& sys = os::sys();
    if (o.as || sys.geteuid() != 0 || sys.fstat(store.directory(), found) < 0) return 0;
    if (found.st_uid == 0) return 0;
    return sandbox::bit_of(CAP_DAC_OVERRIDE) | sandbox::bit_of(CAP_DAC_READ_SEARCH) |
           sandbox::bit_of(CAP_FOWNER);
}

}  // namespace

sandboxed_service sandbox_of_store(files::store& store, const std::string& directory,
                                   const file_access& access, const sandbox_options& options,
                                   std::function<void()> start) {
    sandboxed_service all{
        .paths = {{directory, sandbox::path_access::write}},
        .keeps_files = true,
        .capabilities = capabilities_in(store, options),
        .start = [&store, directory, read_only = access.read_only, start = std::move(start)] {
            store.probe_again(directory);
            if (!read_only) {
                for (const auto& each : store.notices()) log(log_level::info, each);
            }
            if (start) start();
        }};
    add_reloaded(all.paths, access.accounts);
    return all;
}

std::string why_no_raw_door(const std::string& where, const file_access& access) {
    if (!access.accounts.empty()) {
        return "--raw cannot ask who it is, and --auth is to know that; leave one of them out";
    }
    if (access.read_only)
        return "--raw only takes files, and --read-only takes none; leave one out";
    return fmt::format(
        "--raw {} takes files from everybody who can reach it, and that is not allowed; say "
        "--allow "
        "upload if it is meant",
        where);
}

}  // namespace sluice::cli
