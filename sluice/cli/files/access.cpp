// Implements the options that say who may do what to files.
#include "sluice/cli/files/access.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/stat.h>

#include <memory>
#include <utility>

#include "sluice/cli/options.hpp"
#include "sluice/cli/server_listeners.hpp"
#include "sluice/files/server/visitors.hpp"
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

void add_file_access_options(CLI::App& command, file_access& into, const part_name& name) {
    constexpr auto group = "Who may do what";
    const auto flag = [&name](std::string_view option) { return name.flag(option, option); };
    command.add_flag(flag("read-only"), into.read_only, "Give files, and take none")->group(group);
    add_list(command, flag("allow"), into.allow, why_no_grant, "WHAT[:PATH]",
             "What visitors may do: upload, overwrite, delete or all, everywhere or below PATH, as "
             "in upload:/inbox (overwrite on this machine, nothing beyond it)")
        ->group(group);
    command.add_flag(flag("allow-delete"), into.allow_delete, "Files may be removed, too")
        ->group(group);
    add_list(command, flag("host"), into.hosts, why_no_host, "NAME",
             "A name of this server beside its addresses and the name of this machine")
        ->group(group);
    add_list(command, flag("cors"), into.pages, http::visitor_origin::why_no_page, "ORIGIN",
             "Pages from there may read, and do what visitors may, as in https://example.org")
        ->group(group);
    command
        .add_flag(flag("raw-any"), into.raw_any,
                  "Keep streams that begin as HTTP and TLS do, too, which a web page can send")
        ->group(group);
}

std::expected<files::permissions, std::string> permissions_at(const std::string& where,
                                                              const file_access& access,
                                                              const serve_options& common) {
    files::permissions all;
    const bool says_what = access.read_only || !access.allow.empty() || access.allow_delete;
    if (common.auth.on() && says_what) {
        return std::unexpected{
            "--auth names a file that says who may do what; leave --allow, --allow-delete and "
            "--read-only out, and give visitors without a name a line '* - - read' there"};
    }
    if (common.auth.on()) return all;
    if (access.read_only && (!access.allow.empty() || access.allow_delete)) {
        return std::unexpected{
            "--read-only takes nothing, and --allow names what it takes; leave one of them out"};
    }
    if (access.read_only) return all;
    for (const auto& each : access.allow) static_cast<void>(all.grant(each));
    if (access.allow_delete) all.grant(operation::remove, {});
    const bool said = !access.allow.empty();
    if (!said && (common.open || is_on_this_machine(where, common)))
        all.grant(operation::overwrite, {});
    return all;
}

std::string visitors_of(const files::permissions& allowed, const serve_options& common) {
    if (common.auth.on()) return "do what their accounts allow";
    const std::string changes = allowed.description();
    return changes.empty() ? std::string{"read all files"}
                           : fmt::format("read all files, and {}", changes);
}

auth::line_door door_for(operation what, auth::authenticator* who, std::string_view purpose) {
    return {.who = who,
            .admits =
                [what](const auth::identity& client) {
                    const auto found = std::make_shared<const auth::identity>(client);
                    return files::visitor_of(found).allows(what, {});
                },
            .purpose = purpose};
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
    return all;
}

std::string why_no_raw_door(const std::string& where, const file_access& access,
                            const part_name& name) {
    const auto raw = name.flag_said("raw", "raw");
    if (access.read_only) {
        return fmt::format("{} only takes files, and {} takes none; leave one out", raw,
                           name.flag_said("read-only", "read-only"));
    }
    return fmt::format(
        "{} {} takes files from everybody who can reach it, and that is not allowed; say "
        "{} upload if it is meant",
        raw, where, name.flag_said("allow", "allow"));
}

}  // namespace sluice::cli
