// Implements the operations of a simulated ring: one attempt of each, and what it waits for.
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "sluice/sim/file_description.hpp"
#include "sluice/sim/network.hpp"
#include "sluice/sim/simulated_kernel.hpp"
#include "sluice/sim/transfer_step.hpp"
#include "sluice/sim/uring.hpp"

namespace sluice::sim {
namespace {

constexpr virtual_time longest_thread = 10 * a_millisecond;
constexpr std::uint64_t at_position = ~std::uint64_t{0};

std::byte* address_of(const io_uring_sqe& entry) noexcept {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast,performance-no-int-to-ptr)
    return reinterpret_cast<std::byte*>(entry.addr);
}

tcp_socket& socket_of(const uring_request& r) noexcept {
    return static_cast<tcp_socket&>(*r.on);
}

bool is_a(const std::shared_ptr<description>& d, description::kind kind) noexcept {
    return d->what() == kind;
}

}  // namespace

int uring::prepare(uring_request& r) {
    constexpr unsigned known_flags = IOSQE_BUFFER_SELECT;
    if ((r.entry.flags & ~known_flags) != 0) return -EINVAL;
    if (r.entry.opcode == IORING_OP_NOP) return 0;
    r.on = kernel_.find(r.entry.fd);
    if (r.on == nullptr) return -EBADF;
    const bool is_socket = is_a(r.on, kind::stream);
    switch (r.entry.opcode) {
        case IORING_OP_POLL_ADD: return 0;
        case IORING_OP_FSYNC: return is_a(r.on, kind::file) ? 0 : -EINVAL;
        case IORING_OP_ACCEPT: return is_socket ? 0 : -ENOTSOCK;
        case IORING_OP_CONNECT:
            if (!is_socket) return -ENOTSOCK;
            r.address = endpoint::from(reinterpret_cast<const sockaddr*>(address_of(r.entry)),
                                       static_cast<socklen_t>(r.entry.off));
            return r.address && r.address->is_v4() == (socket_of(r).family() == AF_INET)
                       ? 0
                       : -EAFNOSUPPORT;
        case IORING_OP_SPLICE:
            r.source = kernel_.find(r.entry.splice_fd_in);
            if (r.source == nullptr) return -EBADF;
            return is_a(r.source, kind::pipe) || is_a(r.on, kind::pipe) ? 0 : -EINVAL;
        case IORING_OP_SEND_ZC:
            // RLIMIT_MEMLOCK.
            if (kernel_.chance().chance(kernel_.faults().no_memory)) return -ENOMEM;
            [[fallthrough]];
        case IORING_OP_SEND:
        case IORING_OP_RECV: return is_socket ? lend(r) : -ENOTSOCK;
        case IORING_OP_READ:
        case IORING_OP_READ_FIXED:
        case IORING_OP_WRITE:
        case IORING_OP_WRITE_FIXED: return lend(r);
        default: return -EINVAL;
    }
}

/// Takes note of the memory of `r`.
int uring::lend(uring_request& r) const {
    const io_uring_sqe& e = r.entry;
    const mutable_bytes memory{address_of(e), e.len};
    const bool registered =
        e.opcode == IORING_OP_READ_FIXED || e.opcode == IORING_OP_WRITE_FIXED ||
        (e.opcode == IORING_OP_SEND_ZC && (e.ioprio & IORING_RECVSEND_FIXED_BUF) != 0);
    if (registered && !buffers_.is_within(memory, e.buf_index)) return -EFAULT;
    switch (e.opcode) {
        case IORING_OP_RECV:
            // Bytes that are dropped are written nowhere (tcp(7)).
            if (r.selects_buffer() || (e.msg_flags & MSG_TRUNC) != 0) return 0;
            [[fallthrough]];
        case IORING_OP_READ:
        case IORING_OP_READ_FIXED: r.lent = lent_memory{memory}; return 0;
        default: r.lent = lent_memory{const_bytes{memory}}; return 0;
    }
}

std::optional<virtual_time> uring::thread_time(const uring_request& r) {
    switch (r.entry.opcode) {
        case IORING_OP_FSYNC: return kernel_.disk().sync_time();
        // It needs the descriptor table of its program.
        case IORING_OP_ACCEPT:
        case IORING_OP_NOP:
        case IORING_OP_POLL_ADD: return {};
        default: break;
    }
    // Linux waits for a socket without a thread, so no buffer is filled between two calls.
    if (r.selects_buffer()) return {};
    random& chance = kernel_.chance();
    if (r.is_multishot() || !chance.chance(kernel_.faults().ring_late)) return {};
    return chance.between(1, longest_thread);
}

std::optional<uring::outcome> uring::attempt(uring_request& r) {
    switch (r.entry.opcode) {
        case IORING_OP_ACCEPT: return accept(r);
        case IORING_OP_CONNECT: return connect(r);
        case IORING_OP_RECV: return r.selects_buffer() ? receive_provided(r) : receive(r);
        case IORING_OP_SEND:
        case IORING_OP_SEND_ZC: return send(r);
        case IORING_OP_SPLICE: return splice(r);
        case IORING_OP_POLL_ADD: {
            const auto asked = static_cast<short>(r.entry.poll32_events | POLLERR | POLLHUP);
            const int events = r.on->poll() & asked;
            if (events == 0) return {};
            return outcome{.result = events};
        }
        case IORING_OP_READ:
        case IORING_OP_READ_FIXED:
        case IORING_OP_WRITE:
        case IORING_OP_WRITE_FIXED: return read_or_write(r);
        default: return outcome{};
    }
}

std::optional<uring::outcome> uring::accept(uring_request& r) {
    tcp_socket& listener = socket_of(r);
    if (listener.listening() && (listener.poll() & POLLIN) == 0) return not_now(r);
    if (const int failed = kernel_.shortage(); failed < 0) return outcome{.result = failed};
    random& chance = kernel_.chance();
    if (chance.chance(kernel_.faults().no_memory)) {
        return outcome{.result = chance.chance(0.5) ? -ENOBUFS : -ENOMEM};
    }
    int error = 0;
    auto taken = listener.accept(error);
    if (taken == nullptr) return outcome{.result = error};
    const unsigned flags = r.entry.accept_flags;
    if ((flags & SOCK_NONBLOCK) != 0) taken->set_flags(O_NONBLOCK);
    return outcome{.result = kernel_.install(std::move(taken), (flags & SOCK_CLOEXEC) != 0)};
}

std::optional<uring::outcome> uring::connect(uring_request& r) {
    const int result = socket_of(r).connect(*r.address);
    if (result == -EINPROGRESS || result == -EALREADY) return {};
    return outcome{.result = result};
}

std::optional<uring::outcome> uring::receive(uring_request& r) {
    const mutable_bytes memory =
        r.lent.memory().empty() ? mutable_bytes{address_of(r.entry), r.entry.len} : r.lent.memory();
    const auto flags = static_cast<int>(r.entry.msg_flags);
    r.lent.check("memory was changed while it was received into");
    ssize_t n = 0;
    do {
        n = socket_of(r).recv(memory.subspan(r.done), flags);
        if (n > 0) r.done += static_cast<std::size_t>(n);
    } while (n > 0 && (flags & MSG_WAITALL) != 0 && r.done < memory.size());
    r.lent.changed();
    if (n == -EAGAIN) return not_now(r);
    return outcome{.result = r.done > 0 ? static_cast<int>(r.done) : static_cast<int>(n)};
}

std::optional<uring::outcome> uring::receive_provided(uring_request& r) {
    random& chance = kernel_.chance();
    provided_buffers* group = buffers_.group(r.entry.buf_group);
    const io_uring_buf* buffer = group == nullptr ? nullptr : group->first();
    if (buffer == nullptr || chance.chance(kernel_.faults().ring_no_buffer)) {
        return outcome{.result = -ENOBUFS};
    }
    mutable_bytes memory = provided_buffers::bytes_of(*buffer);
    if (r.entry.len > 0 && r.entry.len < memory.size()) memory = memory.first(r.entry.len);
    const unsigned flags = IORING_CQE_F_BUFFER | (unsigned{buffer->bid} << IORING_CQE_BUFFER_SHIFT);
    const ssize_t n = socket_of(r).recv(memory, static_cast<int>(r.entry.msg_flags));
    if (n == -EAGAIN) return not_now(r);
    // Some kernels use a buffer up for the end of a stream.
    if (n < 0 || (n == 0 && chance.chance(0.5))) return outcome{.result = static_cast<int>(n)};
    group->take();
    return outcome{.result = static_cast<int>(n), .flags = flags};
}

std::optional<uring::outcome> uring::send(uring_request& r) {
    const const_bytes data = r.lent.data();
    r.lent.check("memory was changed while it was being sent");
    ssize_t n = 0;
    do {
        n = socket_of(r).send(data.subspan(r.done));
        if (n > 0) r.done += static_cast<std::size_t>(n);
    } while (n > 0 && (r.entry.msg_flags & MSG_WAITALL) != 0 && r.done < data.size());
    if (n == -EAGAIN) return not_now(r);
    return outcome{.result = r.done > 0 ? static_cast<int>(r.done) : static_cast<int>(n)};
}

std::optional<uring::outcome> uring::read_or_write(uring_request& r) {
    const bool writes =
        r.entry.opcode == IORING_OP_WRITE || r.entry.opcode == IORING_OP_WRITE_FIXED;
    r.lent.check("memory of a file operation was changed in flight");
    const std::uint64_t at = r.entry.off;
    ssize_t n = 0;
    if (writes) {
        n = at == at_position ? r.on->write(r.lent.data()) : r.on->pwrite(r.lent.data(), at);
    } else {
        n = at == at_position ? r.on->read(r.lent.memory()) : r.on->pread(r.lent.memory(), at);
        r.lent.changed();
    }
    if (n == -EAGAIN) return not_now(r);
    return outcome{.result = static_cast<int>(n)};
}

std::optional<uring::outcome> uring::splice(uring_request& r) {
    random& chance = kernel_.chance();
    auto from_at = static_cast<off_t>(r.entry.splice_off_in);
    auto to_at = static_cast<off_t>(r.entry.off);
    std::size_t count = r.entry.len;
    if (count > 1 && chance.chance(kernel_.faults().short_splice)) count = 1 + chance.below(count);
    const ssize_t n = move_once(*r.source, from_at < 0 ? nullptr : &from_at, *r.on,
                                to_at < 0 ? nullptr : &to_at, count);
    if (n == -EAGAIN) return {};
    return outcome{.result = static_cast<int>(n)};
}

uring::outcome uring::sync(const uring_request& r) {
    auto& file = static_cast<file_description&>(*r.on);
    const bool data_only = (r.entry.fsync_flags & IORING_FSYNC_DATASYNC) != 0;
    return {.result = kernel_.disk().sync(*file.node(), file.seen(), data_only)};
}

std::optional<uring::outcome> uring::not_now(const uring_request& r) {
    random& chance = kernel_.chance();
    if (!r.on->blocks()) return cancelled(r, -EAGAIN);
    // As after too many spurious wake-ups.
    if (chance.chance(kernel_.faults().ring_again)) {
        return cancelled(r, chance.chance(0.5) ? -EAGAIN : -EINTR);
    }
    return {};
}

uring::awaited_change uring::wanted(const uring_request& r) {
    switch (r.entry.opcode) {
        case IORING_OP_POLL_ADD:
            return {.of = r.on, .events = static_cast<short>(r.entry.poll32_events)};
        case IORING_OP_CONNECT:
        case IORING_OP_SEND:
        case IORING_OP_SEND_ZC:
        case IORING_OP_WRITE:
        case IORING_OP_WRITE_FIXED: return {.of = r.on, .events = POLLOUT};
        case IORING_OP_SPLICE:
            if (r.on->space() == 0) return {.of = r.on, .events = POLLOUT};
            return {.of = r.source, .events = POLLIN};
        default: return {.of = r.on, .events = POLLIN};
    }
}

}  // namespace sluice::sim
