// Implements the options of the sandbox, and the policy of each server.
#include "sluice/cli/server_sandbox.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/base/sanitizer.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/output_queue.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/state_directory.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/sandbox/root_directory.hpp"

namespace sluice::cli {
namespace {

using sandbox::path_access;
using sandbox::path_rule;

constexpr std::array<std::pair<std::string_view, sandbox::mode>, 3> modes{
    {{"auto", sandbox::mode::automatic}, {"on", sandbox::mode::on}, {"off", sandbox::mode::off}}};

std::string directory_of(const std::string& file) {
    const auto slash = file.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : file.substr(0, slash);
}

/// What each server reads at times: about itself, its control groups and its terminal.
void add_of_every_server(std::vector<path_rule>& to, model::kind model) {
    // A process of the fork model has a directory of its own there.
    to.push_back({model == model::kind::fork ? "/proc" : "/proc/self", path_access::read});
    to.push_back({"/sys/fs/cgroup", path_access::read});
    to.push_back({"/dev/tty", path_access::read});
    to.push_back({"/dev/null", path_access::use_devices});
}

/// What the programs of --exec may reach, of which nothing is known: all can be read and run, and
/// written where temporary files are.
void add_of_programs(std::vector<path_rule>& to) {
    to.push_back({"/", path_access::run});
    to.push_back({"/dev", path_access::use_devices});
    for (const auto* each : {"/dev/shm", "/tmp", "/var/tmp"}) {
        to.push_back({each, path_access::write});
    }
    const char* named = std::getenv("TMPDIR");
    if (named != nullptr && *named != '\0') to.push_back({named, path_access::write});
}

}  // namespace

void add_sandbox_options(CLI::App& command, sandbox_options& into, const std::string& group) {
    add_value(command, "--sandbox", into.asked, one_of{modes}, "WHAT",
              "Give up what is not needed to serve: auto (what the kernel lets), on (all, or no "
              "server), off (auto)")
        ->group(group);
    add_value(command, "--user", into.as, read_user, "NAME",
              "Become this user once it listens; for root")
        ->group(group);
    command
        .add_option("--chroot", into.root,
                    "Make this directory the root: all names of files are those within it; for "
                    "root")
        ->type_name("DIR")
        ->group(group);
}

reading<sandbox::user> read_user(std::string_view text) {
    // One that was found is known when the options are read again, in a sandbox without
    // /etc/passwd.
    static std::map<std::string, sandbox::user, std::less<>> known;
    if (const auto found = known.find(text); found != known.end()) return found->second;
    auto user = sandbox::find_user(std::string{text});
    if (user) known.emplace(text, *user);
    return user;
}

std::expected<void, std::string> enter_chroot(const sandbox_options& o) {
    if (o.root.empty()) return {};
    if (const auto done = sandbox::enter_root_directory(o.root); !done) {
        return std::unexpected{
            fmt::format("--chroot {}: {}; {}", in_quotes(o.root), done.error().message(),
                        done.error().is(EPERM) ? "only root may" : "name a directory that exists")};
    }
    return {};
}

void add_reloaded(std::vector<path_rule>& to, const std::string& file, path_access allowed) {
    if (file.empty()) return;
    to.push_back({directory_of(file), allowed});
    std::string real;
    if (os::sys().realpath(file.c_str(), real) == 0) {
        to.push_back({directory_of(real), allowed});
    }
}

sandbox::policy sandbox_of(const serve_options& common, model::kind model, io::engine_kind engine,
                           const sandboxed_service& service) {
    sandbox::policy p{.how = common.sandbox.how(), .as = common.sandbox.as};
    p.capabilities = service.capabilities;
    p.runs_programs = service.runs_programs;
    p.needs = {
        .files = service.keeps_files,
        // Models without shards wait for several listeners and sessions by it.
        .epoll = engine != io::engine_kind::uring || !common.metrics.empty(),
        .ring = engine == io::engine_kind::uring,
        .new_ring = engine == io::engine_kind::uring && service.rings_come_later,
        .children = service.has_children || service.runs_programs || model == model::kind::fork,
        .fork = model == model::kind::fork};
    // One without children makes no signals, by its filter; Landlock would also stop those that the
    // kernel sends when it ends, to processes that were to end with it (PR_SET_PDEATHSIG).
    p.reachable.signals = !p.needs.children;
    auto& paths = p.reachable.paths;
    paths = service.paths;
    add_of_every_server(paths, model);
    if (service.runs_programs) {
        p.reachable_by_programs.network = true;
        add_of_programs(p.reachable_by_programs.paths);
    }
    const auto& tls = common.tls;
    for (const auto* each : {&tls.certificate, &tls.key, &tls.client_authorities,
                             &common.auth.accounts, &common.config}) {
        add_reloaded(paths, *each);
    }
    if (common.access.is_file()) add_reloaded(paths, common.access.where, path_access::add_to);
    if (tls.on() && tls.certificate.empty()) {
        if (const auto folder = state_directory()) paths.push_back({*folder, path_access::read});
    }
    return p;
}

io::engine_options engine_options_in(const sandbox_options& o) {
    io::engine_options engine;
    if (o.how() != sandbox::mode::off) engine.ring_operations = sandbox::ring_operations();
    return engine;
}

std::expected<sandbox::outcome, std::string> enter_sandbox(const sandbox::policy& p,
                                                           const sandboxed_service& service) {
    // The time zone is read once, and the log needs it.
    ::tzset();
    auto done = sandbox::confine(p, service.start_programs);
    if (!done) return done;
    if (p.how == sandbox::mode::on && !done->missing.empty()) {
        return std::unexpected{
            fmt::format("--sandbox on cannot be had: {}; say --sandbox auto to serve without",
                        fmt::join(done->missing, ", "))};
    }
    if (service.start) service.start();
    output().release();
    return done;
}

void announce_sandbox(const serve_options& common, const sandbox::outcome& o) {
    if (common.sandbox.how() == sandbox::mode::off) return;
    // Who has built it with a sanitizer knows.
    constexpr bool sanitized = address_sanitizer || thread_sanitizer;
    const bool asked = common.sandbox.asked && !common.quiet;
    const bool told = asked || (!o.missing.empty() && !sanitized);
    std::string line{"sandbox: "};
    if (o.held.empty()) line += "none";
    line += fmt::format("{}", fmt::join(o.held, ", "));
    if (!o.missing.empty()) line += fmt::format("; {}", fmt::join(o.missing, ", "));
    log(told ? log_level::info : log_level::debug, line);
}

}  // namespace sluice::cli
