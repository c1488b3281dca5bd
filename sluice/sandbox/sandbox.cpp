// Implements the sandbox: the walls in the order in which they can be built.
#include "sluice/sandbox/sandbox.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <array>
#include <string_view>
#include <utility>

#include "sluice/base/sanitizer.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/sandbox/capabilities.hpp"

namespace sluice::sandbox {
namespace {

// The runtime of a sanitizer makes calls and reads files of its own.
constexpr bool sanitized = address_sanitizer || thread_sanitizer;

result<void> forbid_new_privileges() noexcept {
    const int failed = os::sys().prctl(PR_SET_NO_NEW_PRIVS, 1);
    if (failed < 0) return failure_of(-failed);
    return {};
}

/// What a ring pins is unlimited for who has CAP_IPC_LOCK, and stays so for who gives it up.
void keep_unlimited_memory_locks() noexcept {
    if (!has_capability(CAP_IPC_LOCK)) return;
    static_cast<void>(os::sys().setrlimit(RLIMIT_MEMLOCK,
                                          {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY}));
}

/// The walls, with what is said of each.
class builder {
 public:
    builder(const policy& p, outcome& all) noexcept : policy_{p}, all_{all} {}

    void forbid_new_rights() {
        if (const auto done = forbid_new_privileges(); !done) {
            miss("no ban on new privileges", done.error());
        }
    }
    void close_files() {
        const auto done = restrict_by_landlock(policy_.runs_programs ? policy_.reachable_by_programs
                                                                     : policy_.reachable);
        if (!done) {
            const auto why = done.error();
            if (why.is(ENOSYS)) return miss("no Landlock (this kernel has none)");
            if (why.is(EOPNOTSUPP)) return miss("no Landlock (it is off: lsm= of the kernel)");
            return miss("no Landlock", why);
        }
        all_.held.push_back(fmt::format("files by Landlock {}", landlock_version()));
    }
    void close_files_of_programs() {
        if (!policy_.runs_programs || policy_.needs.fork) return;
        // Where the first rules hold, so do these.
        static_cast<void>(restrict_by_landlock(policy_.reachable));
    }
    void drop_rights() {
        keep_unlimited_memory_locks();
        if (const auto done = drop_capabilities(policy_.capabilities); !done) {
            return miss("capabilities kept", done.error());
        }
        all_.held.emplace_back(policy_.capabilities == 0 ? "no capabilities"
                                                         : "no capabilities but those for files");
    }
    void filter_calls() {
        auto filter = policy_.runs_programs && policy_.needs.fork
                          ? system_call_filter::of_programs()
                          : system_call_filter::of_server(policy_.needs);
        const auto done = !filter                 ? result<void>{failure(filter.error())}
                          : policy_.runs_programs ? filter->install_on_this_thread()
                                                  : filter->install_on_all_threads();
        if (!done) return miss("no filter of system calls", done.error());
        all_.held.emplace_back("system calls by seccomp");
    }

 private:
    void miss(std::string_view what) { all_.missing.emplace_back(what); }
    void miss(std::string_view what, error why) {
        all_.missing.push_back(fmt::format("{} ({})", what, why.message()));
    }

    const policy& policy_;
    outcome& all_;
};

std::expected<void, std::string> change_user(const std::optional<user>& as) {
    if (!as) return {};
    if (const auto done = become(*as); !done) {
        return std::unexpected{
            fmt::format("cannot become the user {}: {}", as->name, done.error().message())};
    }
    return {};
}

}  // namespace

std::expected<outcome, std::string> confine(const policy& p,
                                            const std::function<void()>& start_programs) {
    outcome all;
    builder walls{p, all};
    const bool walled = p.how != mode::off && !sanitized;
    if (p.how != mode::off && sanitized) all.missing.emplace_back("this build has a sanitizer");
    if (walled) {
        walls.forbid_new_rights();
        walls.close_files();
    }
    if (start_programs) start_programs();
    if (auto changed = change_user(p.as); !changed) return std::unexpected{changed.error()};
    if (p.as) all.held.push_back(fmt::format("user {}", p.as->name));
    if (walled) {
        walls.close_files_of_programs();
        walls.drop_rights();
        walls.filter_calls();
    }
    return all;
}

void forbid_new_rings(const policy& p) noexcept {
    if (p.how == mode::off || sanitized || p.runs_programs || !p.needs.new_ring) return;
    if (auto filter = system_call_filter::of_new_rings()) {
        static_cast<void>(filter->install_on_all_threads());
    }
}

std::span<const std::uint8_t> ring_operations() noexcept {
    static constexpr auto all = std::to_array<std::uint8_t>(
        {IORING_OP_ACCEPT, IORING_OP_ASYNC_CANCEL, IORING_OP_FSYNC, IORING_OP_POLL_ADD,
         IORING_OP_READ, IORING_OP_READ_FIXED, IORING_OP_RECV, IORING_OP_SEND, IORING_OP_SEND_ZC,
         IORING_OP_SPLICE, IORING_OP_WRITE, IORING_OP_WRITE_FIXED});
    return all;
}

void confine_session(const policy& p) noexcept {
    if (p.how == mode::off || sanitized) return;
    // What is missing was said when the server began.
    static_cast<void>(restrict_by_landlock(p.reachable));
    if (auto filter = system_call_filter::of_server(p.needs)) {
        static_cast<void>(filter->install_on_this_thread());
    }
}

std::expected<void, std::string> confine_programs(mode how, const std::optional<user>& as) {
    if (auto changed = change_user(as); !changed) return changed;
    if (how == mode::off || sanitized) return {};
    static_cast<void>(forbid_new_privileges());
    static_cast<void>(drop_capabilities());
    // The server says what is missing, by itself.
    if (auto filter = system_call_filter::of_programs()) {
        static_cast<void>(filter->install_on_this_thread());
    }
    return {};
}

}  // namespace sluice::sandbox
