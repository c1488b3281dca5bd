// Implements ring over io_uring_setup(2), io_uring_enter(2) and io_uring_register(2).
#include "sluice/io/engines/ring.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "sluice/os/kernel.hpp"

namespace sluice::io {
namespace {

template <class T>
T* at(const mapping& memory, std::size_t offset) noexcept {
    return reinterpret_cast<T*>(static_cast<std::byte*>(memory.data()) + offset);
}

}  // namespace

void ring::close() noexcept {
    if (std::exchange(enter_flags_, 0) != 0) {
        // Otherwise the registration would keep the ring alive until the thread ends.
        io_uring_rsrc_update slot{};
        slot.offset = static_cast<unsigned>(entered_);
        register_with(IORING_UNREGISTER_RING_FDS, &slot, 1);
    }
    entries_ = {};
    both_ = {};
    fd_.reset();
}

result<void> ring::open(unsigned entries, io_uring_params& parameters) noexcept {
    fd_.reset(os::sys().io_uring_setup(entries, parameters));
    if (!fd_) return failure_of(-fd_.get());
    if ((parameters.features & IORING_FEAT_SINGLE_MMAP) == 0) return failure_of(ENOSYS);
    const std::size_t submissions =
        parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    const std::size_t completions =
        parameters.cq_off.cqes + parameters.cq_entries * sizeof(io_uring_cqe);
    auto both = mapping::share(fd_.get(), IORING_OFF_SQ_RING, std::max(submissions, completions));
    if (!both) return failure(both.error());
    auto made =
        mapping::share(fd_.get(), IORING_OFF_SQES, parameters.sq_entries * sizeof(io_uring_sqe));
    if (!made) return failure(made.error());
    both_ = std::move(*both);
    entries_ = std::move(*made);
    point_into(parameters);
    entered_ = fd_.get();
    return {};
}

void ring::point_into(const io_uring_params& parameters) noexcept {
    queues_.flags = parameters.flags;
    queues_.features = parameters.features;
    io_uring_sq& sq = queues_.sq;
    const io_sqring_offsets& from_sq = parameters.sq_off;
    sq.khead = at<unsigned>(both_, from_sq.head);
    sq.ktail = at<unsigned>(both_, from_sq.tail);
    sq.kflags = at<unsigned>(both_, from_sq.flags);
    sq.ring_mask = *at<unsigned>(both_, from_sq.ring_mask);
    sq.ring_entries = parameters.sq_entries;
    sq.sqes = static_cast<io_uring_sqe*>(entries_.data());
    // The kernel goes through the entries by this array: each place always names its own entry.
    const std::span order{at<unsigned>(both_, from_sq.array), parameters.sq_entries};
    std::iota(order.begin(), order.end(), 0U);
    io_uring_cq& cq = queues_.cq;
    const io_cqring_offsets& from_cq = parameters.cq_off;
    cq.khead = at<unsigned>(both_, from_cq.head);
    cq.ktail = at<unsigned>(both_, from_cq.tail);
    cq.ring_mask = *at<unsigned>(both_, from_cq.ring_mask);
    cq.ring_entries = parameters.cq_entries;
    cq.cqes = at<io_uring_cqe>(both_, from_cq.cqes);
}

bool ring::register_descriptor() noexcept {
    io_uring_rsrc_update slot{};
    slot.offset = ~0U;  // any
    slot.data = static_cast<__u64>(fd_.get());
    if (register_with(IORING_REGISTER_RING_FDS, &slot, 1) != 1) return false;
    entered_ = static_cast<int>(slot.offset);
    enter_flags_ = IORING_ENTER_REGISTERED_RING;
    return true;
}

result<void> ring::enable_for(std::span<const std::uint8_t> operations) {
    std::vector<io_uring_restriction> all;
    const auto add = [&all](unsigned kind, unsigned what) {
        io_uring_restriction& one = all.emplace_back();
        one.opcode = static_cast<__u16>(kind);
        one.sqe_op = static_cast<__u8>(what);
    };
    for (const auto each : operations) add(IORING_RESTRICTION_SQE_OP, each);
    add(IORING_RESTRICTION_SQE_FLAGS_ALLOWED, IOSQE_BUFFER_SELECT);
    for (const unsigned each :
         {IORING_REGISTER_BUFFERS2, IORING_REGISTER_BUFFERS_UPDATE, IORING_UNREGISTER_RING_FDS}) {
        add(IORING_RESTRICTION_REGISTER_OP, each);
    }
    const auto count = static_cast<unsigned>(all.size());
    if (const int r = register_with(IORING_REGISTER_RESTRICTIONS, all.data(), count); r < 0) {
        return failure_of(-r);
    }
    if (const int r = register_with(IORING_REGISTER_ENABLE_RINGS, nullptr, 0); r < 0) {
        return failure_of(-r);
    }
    return {};
}

int ring::register_with(unsigned operation, void* argument, unsigned count) noexcept {
    return os::sys().io_uring_register(fd_.get(), operation, argument, count);
}

int ring::submit_and_wait(const timespec* timeout) noexcept {
    if (timeout == nullptr) return enter(1, IORING_ENTER_GETEVENTS, nullptr);
    const __kernel_timespec until{.tv_sec = timeout->tv_sec, .tv_nsec = timeout->tv_nsec};
    io_uring_getevents_arg argument{};
    argument.ts = reinterpret_cast<std::uintptr_t>(&until);
    return enter(1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument);
}

int ring::enter(unsigned awaited, unsigned flags, const io_uring_getevents_arg* argument) noexcept {
    io_uring_sq& sq = queues_.sq;
    if (sq.sqe_head != sq.sqe_tail) {
        sq.sqe_head = sq.sqe_tail;
        // The kernel reads the entries in the call below, on this thread.
        IO_URING_WRITE_ONCE(*sq.ktail, sq.sqe_tail);
    }
    const unsigned queued = sq.sqe_tail - IO_URING_READ_ONCE(*sq.khead);
    if (needs_flush()) flags |= IORING_ENTER_GETEVENTS;
    if (queued == 0 && flags == 0) return 0;
    drained_ = false;
    return os::sys().io_uring_enter(entered_, queued, awaited, flags | enter_flags_, argument);
}

}  // namespace sluice::io
