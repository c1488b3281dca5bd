// Implements probe_uring(): tries io_uring's features one by one on a ring of its own.
#include "sluice/io/engines/uring_probe.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <sstream>
#include <string_view>
#include <vector>

#include "sluice/base/bytes.hpp"
#include "sluice/io/engines/ring.hpp"
#include "sluice/os/cgroup.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/mapping.hpp"

namespace sluice::io {
namespace {

constexpr std::array features{
    uring_feature{"ext_arg", &uring_support::ext_arg, true, "5.11", "waits with a deadline"},
    uring_feature{"no_drop", &uring_support::no_drop, true, "5.5", "loses no completion"},
    uring_feature{"single_issuer", &uring_support::single_issuer, true, "6.0", "one thread a ring"},
    uring_feature{"defer_taskrun", &uring_support::defer_taskrun, true, "6.1",
                  "completes only when asked"},
    uring_feature{"async_cancel", &uring_support::async_cancel, true, "5.5",
                  "deadlines and cancels"},
    uring_feature{"cancel_fd", &uring_support::cancel_fd, true, "5.19",
                  "closes with ops in flight"},
    uring_feature{"multishot_accept", &uring_support::multishot_accept, true, "5.19",
                  "one op accepts all"},
    uring_feature{"provided_buffer_ring", &uring_support::provided_buffer_ring, true, "5.19",
                  "idle peers hold no buffer"},
    uring_feature{"multishot_recv", &uring_support::multishot_recv, true, "6.0",
                  "one op receives all"},
    uring_feature{"multishot_poll", &uring_support::multishot_poll, false, "5.13",
                  "one op watches a wakeup"},
    uring_feature{"register_ring_fd", &uring_support::register_ring_fd, false, "5.18",
                  "cheaper system calls"},
    uring_feature{"msg_ring", &uring_support::msg_ring, false, "5.18", "wakes another thread"},
    uring_feature{"splice", &uring_support::splice, false, "5.7", "moves files without copying"},
    uring_feature{"send_zc", &uring_support::send_zc, false, "6.0", "sends without copying"},
    uring_feature{"sendmsg_zc", &uring_support::sendmsg_zc, false, "6.1",
                  "sends pieces without copying"},
};

/// A small ring for one entry at a time.
class scratch_ring : public ring {
 public:
    /// 0 or -errno.
    int open(unsigned flags) {
        parameters_ = {};
        parameters_.flags = flags | IORING_SETUP_CQSIZE;
        parameters_.cq_entries = 16;
        const auto opened = ring::open(8, parameters_);
        return opened ? 0 : -opened.error().code();
    }
    [[nodiscard]] bool has(unsigned feature) const noexcept {
        return (parameters_.features & feature) != 0;
    }

    struct completion {
        std::int32_t result;  ///< the op's result, or -errno if no completion came
        std::uint32_t flags;
        std::uint64_t data;
    };

    /// Submits the queued entries and takes one completion. The awaited event is pending already,
    /// so the deadline passes only on a broken kernel.
    completion submit_and_take() {
        constexpr timespec a_second{.tv_sec = 1, .tv_nsec = 0};
        const auto until = os::clock::now() + std::chrono::seconds{a_second.tv_sec};
        int entered = 0;
        do {
            entered = taken_.empty() ? submit_and_wait(&a_second) : submit();
            take_completions(
                [this](const io_uring_cqe& c) { taken_.push_back({c.res, c.flags, c.user_data}); });
            if (entered == -EINTR) entered = 0;
        } while (taken_.empty() && entered >= 0 && os::clock::now() < until);
        if (taken_.empty()) return {entered < 0 ? entered : -ETIME, 0, 0};
        const completion oldest = taken_.front();
        taken_.erase(taken_.begin());
        return oldest;
    }

 private:
    io_uring_params parameters_{};
    std::vector<completion> taken_;
};

constexpr std::uint64_t multishot_data = 1;
constexpr std::uint64_t cancel_data = 2;
constexpr unsigned short probed_group = 7;

/// Cancels the op in flight on `fd` and takes its completions. True if a cancel by fd did it.
bool cancel_by_fd(scratch_ring& ring, int fd) {
    io_uring_sqe* sqe = ring.next_entry();
    io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
    io_uring_sqe_set_data64(sqe, cancel_data);
    bool confirmed = false;
    bool ended = false;
    while (!confirmed || !ended) {
        const auto done = ring.submit_and_take();
        if (done.data == cancel_data) {
            if (done.result < 0) return false;
            confirmed = true;
        } else if (done.data == multishot_data) {
            ended = (done.flags & IORING_CQE_F_MORE) == 0;
        } else {
            return false;
        }
    }
    return true;
}

/// A listener, and a client whose connection waits to be accepted.
struct waiting_pair {
    unique_fd listener;
    unique_fd client;
};

/// Connects the pair over `family`, on this machine alone. 0 or -errno.
int connect_over(sa_family_t family, waiting_pair& into) {
    os::kernel& sys = os::sys();
    for (unique_fd* each : {&into.listener, &into.client}) {
        each->reset(sys.socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (!*each) return each->get();
    }
    // Zeros let the kernel choose: for the family alone a free name outside the file system
    // (unix(7), autobind), or a free port (ip(7)).
    sockaddr_storage name{};
    auto* generic = reinterpret_cast<sockaddr*>(&name);
    name.ss_family = family;
    socklen_t size = sizeof(sa_family_t);
    if (family == AF_INET) {
        reinterpret_cast<sockaddr_in*>(&name)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        size = sizeof(sockaddr_in);
    }
    int failed = sys.bind(into.listener.get(), generic, size);
    if (failed == 0) failed = sys.listen(into.listener.get(), 1);
    size = sizeof name;
    if (failed == 0) failed = sys.getsockname(into.listener.get(), generic, size);
    return failed == 0 ? sys.connect(into.client.get(), generic, size) : failed;
}

/// Over AF_UNIX, else AF_INET: a service may be confined to some families (systemd's
/// RestrictAddressFamilies=). 0 or -errno.
int connect_pair(waiting_pair& into) {
    const int code = connect_over(AF_UNIX, into);
    return code == 0 || connect_over(AF_INET, into) == 0 ? 0 : code;
}

/// Accepts the waiting client, by multishot if that works.
unique_fd try_multishot_accept(scratch_ring& ring, const unique_fd& listener,
                               uring_support& found) {
    io_uring_sqe* sqe = ring.next_entry();
    io_uring_prep_multishot_accept(sqe, listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
    io_uring_sqe_set_data64(sqe, multishot_data);
    const auto done = ring.submit_and_take();
    unique_fd accepted{done.result};
    if (accepted && (done.flags & IORING_CQE_F_MORE) != 0) {
        found.multishot_accept = true;
        found.cancel_fd = cancel_by_fd(ring, listener.get());
    }
    // An op that never completed may still take the client.
    if (!accepted && done.result != -ETIME) {
        // One that failed may have taken it, too, and a second accept would wait for ever.
        os::sys().fcntl(listener.get(), F_SETFL, O_NONBLOCK);
        accepted.reset(os::sys().accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
    return accepted;
}

void try_multishot_recv(scratch_ring& ring, const unique_fd& reader, const unique_fd& writer,
                        const std::array<char, 16>& buffer, uring_support& found) {
    ssize_t sent = -EINTR;
    while (sent == -EINTR) sent = os::sys().send(writer.get(), as_bytes("s"), MSG_NOSIGNAL);
    if (sent < 0) {
        found.refusal = error::system(static_cast<int>(-sent));
        return;
    }
    io_uring_sqe* sqe = ring.next_entry();
    io_uring_prep_recv_multishot(sqe, reader.get(), nullptr, 0, 0);
    io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
    sqe->buf_group = probed_group;
    io_uring_sqe_set_data64(sqe, multishot_data);
    const auto done = ring.submit_and_take();
    constexpr auto wanted = IORING_CQE_F_BUFFER | IORING_CQE_F_MORE;
    if (done.result == 1 && (done.flags & wanted) == wanted && buffer[0] == 's') {
        found.multishot_recv = cancel_by_fd(ring, reader.get());
    }
}

/// Registers a ring of buffers and receives into one of them.
void try_buffer_ring(scratch_ring& ring, const unique_fd& reader, const unique_fd& writer,
                     uring_support& found) {
    constexpr std::size_t page = 4096;
    const auto memory = mapping::create(page);
    if (!memory) {
        found.refusal = memory.error();
        return;
    }
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory->data());
    registration.ring_entries = 2;
    registration.bgid = probed_group;
    if (ring.register_with(IORING_REGISTER_PBUF_RING, &registration, 1) != 0) return;
    found.provided_buffer_ring = true;

    // Linux 6.1 looks for the next buffer at once, and ends the operation if there is none.
    constexpr unsigned size = 16;
    std::array<std::array<char, size>, 2> memory_of_two{};
    auto* buffers = static_cast<io_uring_buf_ring*>(memory->data());
    io_uring_buf_ring_init(buffers);
    for (int i = 0; i < 2; ++i) {
        auto& buffer = memory_of_two.at(static_cast<std::size_t>(i));
        io_uring_buf_ring_add(buffers, buffer.data(), size, static_cast<unsigned short>(i),
                              io_uring_buf_ring_mask(2), i);
    }
    io_uring_buf_ring_advance(buffers, 2);
    try_multishot_recv(ring, reader, writer, memory_of_two.front(), found);
    ring.register_with(IORING_UNREGISTER_PBUF_RING, &registration, 1);
}

void try_sockets(scratch_ring& ring, uring_support& found) {
    waiting_pair pair;
    if (const int code = connect_pair(pair); code != 0) {
        found.refusal = error::system(-code);
        return;
    }
    const auto accepted = try_multishot_accept(ring, pair.listener, found);
    if (!accepted) {
        found.refusal = error::system(-accepted.get());
        return;
    }
    try_buffer_ring(ring, accepted, pair.client, found);
}

void try_multishot_poll(scratch_ring& ring, uring_support& found) {
    std::array<int, 2> ends{};
    if (os::sys().pipe2(ends, O_CLOEXEC) != 0) return;
    const unique_fd reader{ends[0]};
    const unique_fd writer{ends[1]};
    if (os::sys().write(writer.get(), as_bytes("s")) != 1) return;
    io_uring_sqe* sqe = ring.next_entry();
    io_uring_prep_poll_multishot(sqe, reader.get(), POLLIN);
    io_uring_sqe_set_data64(sqe, multishot_data);
    const auto done = ring.submit_and_take();
    if (done.result <= 0 || (done.flags & IORING_CQE_F_MORE) == 0) return;
    found.multishot_poll = cancel_by_fd(ring, reader.get());
}

/// True if io_uring_enter(2) works, tried with an op that does nothing; else sets `refusal`.
bool try_enter(scratch_ring& ring, uring_support& found) {
    io_uring_prep_nop(ring.next_entry());
    const auto done = ring.submit_and_take();
    if (done.result < 0) found.refusal = error::system(-done.result);
    return done.result >= 0;
}

/// True if io_uring_register(2) works, which the query for opcodes needs; else sets `refusal`.
bool ask_for_opcodes(scratch_ring& ring, uring_support& found) {
    constexpr unsigned most = 256;
    const auto bytes = sizeof(io_uring_probe) + most * sizeof(io_uring_probe_op);
    std::vector<std::uint64_t> storage((bytes + 7) / 8);
    auto* probe = reinterpret_cast<io_uring_probe*>(storage.data());
    const int answer = ring.register_with(IORING_REGISTER_PROBE, probe, most);
    if (answer < 0) {
        found.refusal = error::system(-answer);
        return false;
    }
    const auto has = [&](int opcode) { return io_uring_opcode_supported(probe, opcode) != 0; };
    found.async_cancel = has(IORING_OP_ASYNC_CANCEL);
    found.send_zc = has(IORING_OP_SEND_ZC);
    found.sendmsg_zc = has(IORING_OP_SENDMSG_ZC);
    found.msg_ring = has(IORING_OP_MSG_RING);
    found.splice = has(IORING_OP_SPLICE);
    return true;
}

/// Opens the ring with as many of the engine's flags as the kernel takes. 0 or -errno.
int open_with_best_flags(scratch_ring& ring, uring_support& found) {
    constexpr unsigned both = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    int answer = -EINVAL;
    for (const unsigned flags : {both, static_cast<unsigned>(IORING_SETUP_SINGLE_ISSUER), 0U}) {
        answer = ring.open(flags);
        if (answer == -EINVAL) continue;
        found.single_issuer = answer == 0 && (flags & IORING_SETUP_SINGLE_ISSUER) != 0;
        found.defer_taskrun = answer == 0 && (flags & IORING_SETUP_DEFER_TASKRUN) != 0;
        break;
    }
    return answer;
}

std::optional<int> read_number(const char* path) {
    std::istringstream file{read_small_file(path).value_or("")};
    int number = 0;
    if (file >> number) return number;
    return std::nullopt;
}

std::string size_text(const std::optional<std::uint64_t>& bytes) {
    return bytes ? fmt::format("{} KiB", *bytes / 1024) : "unlimited";
}

void judge_refusal(uring_support& found, const uring_surroundings& around) {
    constexpr auto allow_in_filter =
        "have the filter allow io_uring_setup, io_uring_enter and io_uring_register (docker run "
        "--security-opt seccomp=PROFILE.json)";
    constexpr auto switch_on = "as root on the host: sysctl -w kernel.io_uring_disabled=0";
    const int code = found.refusal->is(EACCES) ? EPERM : found.refusal->code();
    const bool filtered = around.seccomp == 2;
    const bool restricted = around.disabled == 1 && !around.privileged.value_or(false);
    if (code == EPERM && around.disabled == 2) {
        found.why_not =
            "io_uring is switched off for every process: the sysctl kernel.io_uring_disabled is 2";
        found.remedy = switch_on;
    } else if (code == EPERM && restricted) {
        found.why_not =
            "io_uring is kept for root and the group of the sysctl kernel.io_uring_group: "
            "kernel.io_uring_disabled is 1";
        found.remedy = switch_on;
    } else if (code == EPERM && filtered) {
        found.why_not =
            "a seccomp filter on this process forbids io_uring (EPERM), as container runtimes do";
        found.remedy = allow_in_filter;
    } else if (code == EPERM && !around.seccomp) {
        found.why_not =
            "the kernel forbids io_uring to this process (EPERM), most likely by a seccomp filter: "
            "/proc/self/status, which would say, cannot be read";
        found.remedy = allow_in_filter;
    } else if (code == EPERM) {
        found.why_not =
            "the kernel forbids io_uring to this process (EPERM), and neither the sysctl "
            "kernel.io_uring_disabled nor a seccomp filter is the cause: most likely a security "
            "module (SELinux, AppArmor)";
        found.remedy = "look for a denial in the system's log: journalctl -k -g 'avc|apparmor'";
    } else if (code == ENOSYS && filtered) {
        found.why_not =
            "a seccomp filter on this process hides io_uring (ENOSYS), as container runtimes do";
        found.remedy = allow_in_filter;
    } else if (code == ENOSYS) {
        found.why_not = fmt::format(
            "the kernel ({}) has no io_uring: built without CONFIG_IO_URING, older than 5.1, or a "
            "sandbox that imitates Linux",
            around.kernel);
        found.remedy = "run a kernel from 6.1 on that is built with CONFIG_IO_URING=y";
    } else if (code == ENOMEM) {
        found.why_not = fmt::format(
            "the kernel has no memory for a ring (ENOMEM); the limit on locked memory is {}",
            size_text(around.locked_memory));
        found.remedy = "ulimit -l unlimited, or LimitMEMLOCK=infinity in the systemd unit";
    } else if (code == EMFILE || code == ENFILE) {
        found.why_not = "no file descriptor is left for a ring";
        found.remedy = "raise the limit on open files: ulimit -n 65536";
    } else if (code == EAFNOSUPPORT) {
        found.why_not = "this process may make no socket to try io_uring on (EAFNOSUPPORT)";
        found.remedy = "allow AF_INET at least: RestrictAddressFamilies= in the systemd unit";
    } else {
        found.why_not = fmt::format("io_uring failed on the kernel ({}): {}", around.kernel,
                                    found.refusal->message());
        found.remedy = "see which call failed: strace -f sluice doctor";
    }
}

/// Parses "5.19" into {5, 19}, to compare versions by number.
std::pair<int, int> version_of(std::string_view text) {
    std::pair<int, int> version{};
    const auto dot = text.find('.');
    std::from_chars(text.data(), text.data() + dot, version.first);
    std::from_chars(text.data() + dot + 1, text.data() + text.size(), version.second);
    return version;
}

}  // namespace

std::span<const uring_feature> uring_features() noexcept {
    return features;
}

uring_surroundings read_uring_surroundings() {
    uring_surroundings around;
    utsname system{};
    if (os::sys().uname(system) == 0) around.kernel = system.release;
    around.disabled = read_number("/proc/sys/kernel/io_uring_disabled");
    rlimit limit{};
    if (os::sys().getrlimit(RLIMIT_MEMLOCK, limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        around.locked_memory = limit.rlim_cur;
    }
    std::istringstream status{read_small_file("/proc/self/status").value_or("")};
    for (std::string key; status >> key;) {
        if (key == "Seccomp:") {
            int mode = 0;
            if (status >> mode) around.seccomp = mode;
        } else if (key == "CapEff:") {
            constexpr unsigned cap_sys_admin = 21;  // linux/capability.h
            std::uint64_t held = 0;
            if (status >> std::hex >> held >> std::dec) {
                around.privileged = ((held >> cap_sys_admin) & 1U) != 0;
            }
        }
        status.ignore(4096, '\n');
    }
    return around;
}

void judge(uring_support& found, const uring_surroundings& around) {
    found.usable = false;
    found.why_not.clear();
    found.remedy.clear();
    if (found.refusal) {
        judge_refusal(found, around);
        return;
    }
    std::vector<const uring_feature*> missing;
    for (const auto& feature : features) {
        if (feature.needed && !(found.*feature.found)) missing.push_back(&feature);
    }
    if (missing.empty()) {
        found.usable = true;
        return;
    }
    std::string names;
    for (std::size_t i = 0; i < missing.size(); ++i) {
        if (i > 0) names += i + 1 == missing.size() ? " and " : ", ";
        names += missing[i]->name;
    }
    const auto* newest = *std::max_element(
        missing.begin(), missing.end(),
        [](const auto* a, const auto* b) { return version_of(a->since) < version_of(b->since); });
    found.why_not =
        fmt::format("the kernel ({}) lacks io_uring's {}, which sluice needs; Linux {} has {}",
                    around.kernel, names, newest->since, missing.size() == 1 ? "it" : "them");
    found.remedy = fmt::format("run a kernel from {} on", newest->since);
}

uring_support probe_uring() {
    uring_support found;
    scratch_ring ring;
    if (const int answer = open_with_best_flags(ring, found); answer != 0) {
        found.refusal = error::system(-answer);
    } else if (try_enter(ring, found) && ask_for_opcodes(ring, found)) {
        found.ext_arg = ring.has(IORING_FEAT_EXT_ARG);
        found.no_drop = ring.has(IORING_FEAT_NODROP);
        try_sockets(ring, found);
        try_multishot_poll(ring, found);
        found.register_ring_fd = ring.register_descriptor();
    }
    judge(found, read_uring_surroundings());
    return found;
}

}  // namespace sluice::io
