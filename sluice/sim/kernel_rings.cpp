// Implements the calls of the simulated kernel for rings of io_uring.
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <span>
#include <utility>
#include <vector>

#include "sluice/sim/simulated_kernel.hpp"
#include "sluice/sim/uring.hpp"

namespace sluice::sim {
namespace {

constexpr unsigned known_flags =
    IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN |
    IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
constexpr unsigned features =
    IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE |
    IORING_FEAT_RW_CUR_POS | IORING_FEAT_FAST_POLL | IORING_FEAT_POLL_32BITS | IORING_FEAT_EXT_ARG |
    IORING_FEAT_NATIVE_WORKERS | IORING_FEAT_RSRC_TAGS;
constexpr unsigned most_submissions = 32'768;
constexpr unsigned most_completions = 2 * most_submissions;
// Linux keeps so many for a thread.
constexpr std::size_t most_registered = 16;

constexpr std::array operations{
    IORING_OP_NOP,     IORING_OP_ACCEPT, IORING_OP_ASYNC_CANCEL, IORING_OP_CONNECT,
    IORING_OP_FSYNC,   IORING_OP_READ,   IORING_OP_READ_FIXED,   IORING_OP_WRITE,
    IORING_OP_RECV,    IORING_OP_SEND,   IORING_OP_WRITE_FIXED,  IORING_OP_POLL_ADD,
    IORING_OP_SEND_ZC, IORING_OP_SPLICE,
};

/// Numbers of entries as io_uring_setup(2) makes them from those that are asked for; 0 or -errno.
int choose_sizes(unsigned entries, const io_uring_params& asked, unsigned& submissions,
                 unsigned& completions) noexcept {
    const bool clamps = (asked.flags & IORING_SETUP_CLAMP) != 0;
    const bool has_completions = (asked.flags & IORING_SETUP_CQSIZE) != 0;
    if (entries == 0 || (has_completions && asked.cq_entries == 0)) return -EINVAL;
    if (!clamps && entries > most_submissions) return -EINVAL;
    submissions = std::bit_ceil(std::min(entries, most_submissions));
    completions = 2 * submissions;
    if (!has_completions) return 0;
    if (!clamps && asked.cq_entries > most_completions) return -EINVAL;
    completions = std::bit_ceil(std::min(asked.cq_entries, most_completions));
    return completions < submissions ? -EINVAL : 0;
}

void tell_operations(io_uring_probe& into, unsigned room) noexcept {
    into.last_op = IORING_OP_LAST - 1;
    into.ops_len = static_cast<__u8>(std::min<unsigned>(room, IORING_OP_LAST));
    for (unsigned i = 0; i < into.ops_len; ++i) {
        into.ops[i].op = static_cast<__u8>(i);
        const bool known = std::ranges::any_of(
            operations, [i](auto op) { return static_cast<unsigned>(op) == i; });
        into.ops[i].flags = known ? IO_URING_OP_SUPPORTED : 0;
    }
}

template <class T>
const T* at(std::uint64_t address) noexcept {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast,performance-no-int-to-ptr)
    return reinterpret_cast<const T*>(address);
}

int update_buffers(uring_buffers& buffers, const io_uring_rsrc_update2& update) {
    std::vector<const_bytes> with;
    for (const iovec& each : std::span{at<iovec>(update.data), update.nr}) {
        with.emplace_back(static_cast<const std::byte*>(each.iov_base), each.iov_len);
    }
    return buffers.update(update.offset, std::move(with));
}

}  // namespace

std::shared_ptr<uring> simulated_kernel::ring_of(int fd, bool registered, int& error) noexcept {
    std::shared_ptr<uring> found;
    if (registered) {
        const auto slot = static_cast<std::size_t>(fd);
        if (slot < registered_rings_.size()) found = registered_rings_[slot].lock();
    } else if (auto d = find(fd); d != nullptr && d->what() == description::kind::ring) {
        found = std::static_pointer_cast<uring>(std::move(d));
    }
    error = found == nullptr ? -EBADF : -EEXIST;
    return found != nullptr && found->belongs_to(scheduler_.current()) ? found : nullptr;
}

int simulated_kernel::io_uring_setup(unsigned entries, io_uring_params& parameters) noexcept {
    return call("io_uring_setup", {entries, parameters.cq_entries, parameters.flags}, [&] {
        if (!ring_refusal_) {
            const bool refused = random_.chance(faults_.ring_refused);
            ring_refusal_ = refused ? (random_.chance(0.5) ? -ENOSYS : -EPERM) : 0;
        }
        if (*ring_refusal_ < 0) return *ring_refusal_;
        const unsigned flags = parameters.flags;
        const bool defers = (flags & IORING_SETUP_DEFER_TASKRUN) != 0;
        if ((flags & ~known_flags) != 0) return -EINVAL;
        if (defers && (flags & IORING_SETUP_SINGLE_ISSUER) == 0) return -EINVAL;
        unsigned submissions = 0;
        unsigned completions = 0;
        const int failed = choose_sizes(entries, parameters, submissions, completions);
        if (failed < 0) return failed;
        if ((flags & IORING_SETUP_CLAMP) != 0 && random_.chance(faults_.ring_small)) {
            constexpr unsigned most_doublings = 3;
            submissions = std::min(submissions, 1U << random_.below(most_doublings + 1));
            completions = std::min(completions, submissions << random_.below(3));
        }
        auto memory = uring_memory::make(real_, submissions, completions);
        if (memory == nullptr) return -ENOMEM;
        memory->describe(parameters);
        parameters.features = features;
        return make(std::make_shared<uring>(*this, *scheduler_.current(), std::move(memory)), true);
    });
}

int simulated_kernel::io_uring_enter(int fd, unsigned submitted, unsigned awaited, unsigned flags,
                                     const io_uring_getevents_arg* argument) noexcept {
    return call("io_uring_enter", {fd, submitted, awaited, flags}, [&] {
        constexpr unsigned known =
            IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | IORING_ENTER_REGISTERED_RING;
        if ((flags & ~known) != 0) return -EINVAL;
        int error = 0;
        const auto ring = ring_of(fd, (flags & IORING_ENTER_REGISTERED_RING) != 0, error);
        if (ring == nullptr) return error;
        const bool asks = (flags & IORING_ENTER_GETEVENTS) != 0;
        int taken = 0;
        if (submitted > 0) {
            if (const int refusal = ring->refusal(asks); refusal < 0) return refusal;
            taken = ring->submit(submitted);
            if (static_cast<unsigned>(taken) < submitted) return taken;
        }
        if (!asks) return taken;
        timespec timeout{};
        const bool has_timeout = argument != nullptr && argument->ts != 0;
        if (has_timeout) {
            const auto& given = *at<__kernel_timespec>(argument->ts);
            timeout = {.tv_sec = given.tv_sec, .tv_nsec = static_cast<long>(given.tv_nsec)};
        }
        // The program waits for one; more than that is not simulated.
        const int waited =
            ring->get_events(awaited > 0, deadline_of(has_timeout ? &timeout : nullptr));
        return taken > 0 ? taken : waited;
    });
}

int simulated_kernel::io_uring_register(int fd, unsigned operation, void* argument,
                                        unsigned count) noexcept {
    return call("io_uring_register", {fd, operation, count}, [&] {
        int error = 0;
        const auto ring = ring_of(fd, false, error);
        if (ring == nullptr) return error;
        uring_buffers& buffers = ring->buffers();
        switch (operation) {
            case IORING_REGISTER_RING_FDS:
                return register_ring(ring, *static_cast<io_uring_rsrc_update*>(argument));
            case IORING_UNREGISTER_RING_FDS: {
                const auto slot = static_cast<io_uring_rsrc_update*>(argument)->offset;
                if (slot >= registered_rings_.size()) return -EINVAL;
                registered_rings_[slot].reset();
                return 1;
            }
            case IORING_REGISTER_PBUF_RING:
                return buffers.add_group(*static_cast<io_uring_buf_reg*>(argument));
            case IORING_UNREGISTER_PBUF_RING:
                return buffers.remove_group(static_cast<io_uring_buf_reg*>(argument)->bgid);
            case IORING_REGISTER_BUFFERS2:
                return buffers.make_table(static_cast<io_uring_rsrc_register*>(argument)->nr);
            case IORING_REGISTER_BUFFERS_UPDATE:
                // RLIMIT_MEMLOCK.
                if (random_.chance(faults_.no_memory)) return -ENOMEM;
                return update_buffers(buffers, *static_cast<io_uring_rsrc_update2*>(argument));
            case IORING_REGISTER_PROBE:
                tell_operations(*static_cast<io_uring_probe*>(argument), count);
                return 0;
            default: return -EINVAL;
        }
    });
}

int simulated_kernel::register_ring(const std::shared_ptr<uring>& ring,
                                    io_uring_rsrc_update& slot) noexcept {
    if (random_.chance(faults_.no_memory)) return -ENOMEM;
    auto place = std::ranges::find_if(registered_rings_, [](const auto& r) { return r.expired(); });
    if (place == registered_rings_.end()) {
        const auto own = std::ranges::count_if(registered_rings_, [&](const auto& r) {
            const auto other = r.lock();
            return other != nullptr && other->belongs_to(scheduler_.current());
        });
        if (static_cast<std::size_t>(own) >= most_registered) return -EBUSY;
        place = registered_rings_.emplace(place);
    }
    *place = ring;
    slot.offset = static_cast<unsigned>(place - registered_rings_.begin());
    return 1;
}

}  // namespace sluice::sim
