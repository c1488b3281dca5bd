// Implements uring_memory: the layout of both queues, and what the kernel does to them.
#include "sluice/sim/uring_memory.hpp"

#include <sys/mman.h>

#include <cerrno>

namespace sluice::sim {
namespace {

constexpr std::size_t memory_page = 4096;
constexpr std::size_t completions_at = 64;

}  // namespace

uring_memory::uring_memory(os::kernel& real, int fd, unsigned submissions,
                           unsigned completions) noexcept
    : real_{real},
      fd_{fd},
      submissions_{submissions},
      completions_{completions},
      order_at_{completions_at + completions * sizeof(io_uring_cqe)},
      entries_at_{(order_at_ + submissions * sizeof(unsigned) + memory_page - 1) / memory_page *
                  memory_page},
      size_{entries_at_ + submissions * sizeof(io_uring_sqe)} {
    static_assert(sizeof(queues) <= completions_at);
}

std::unique_ptr<uring_memory> uring_memory::make(os::kernel& real, unsigned submissions,
                                                 unsigned completions) {
    const int fd = real.memfd_create("ring", MFD_CLOEXEC);
    if (fd < 0) return nullptr;
    std::unique_ptr<uring_memory> made{new uring_memory{real, fd, submissions, completions}};
    if (real.ftruncate(fd, made->size_) < 0) return nullptr;
    if (made->map(made->start_, nullptr, made->size_, PROT_READ | PROT_WRITE, MAP_SHARED,
                  IORING_OFF_SQ_RING) < 0) {
        return nullptr;
    }
    queues& q = made->shared();
    q.sq.entries = submissions;
    q.sq.mask = submissions - 1;
    q.cq.entries = completions;
    q.cq.mask = completions - 1;
    return made;
}

uring_memory::~uring_memory() {
    if (start_ != nullptr) real_.munmap(start_, size_);
    real_.close(fd_);
}

void uring_memory::describe(io_uring_params& into) const noexcept {
    into.sq_entries = submissions_;
    into.cq_entries = completions_;
    const auto offset = [](std::size_t queue, std::size_t member) {
        return static_cast<unsigned>(queue + member);
    };
    constexpr std::size_t sq = offsetof(queues, sq);
    constexpr std::size_t cq = offsetof(queues, cq);
    into.sq_off = {};
    into.sq_off.head = offset(sq, offsetof(indices, head));
    into.sq_off.tail = offset(sq, offsetof(indices, tail));
    into.sq_off.ring_mask = offset(sq, offsetof(indices, mask));
    into.sq_off.ring_entries = offset(sq, offsetof(indices, entries));
    into.sq_off.flags = offset(sq, offsetof(indices, flags));
    into.sq_off.dropped = offset(sq, offsetof(indices, lost));
    into.sq_off.array = static_cast<unsigned>(order_at_);
    into.cq_off = {};
    into.cq_off.head = offset(cq, offsetof(indices, head));
    into.cq_off.tail = offset(cq, offsetof(indices, tail));
    into.cq_off.ring_mask = offset(cq, offsetof(indices, mask));
    into.cq_off.ring_entries = offset(cq, offsetof(indices, entries));
    into.cq_off.flags = offset(cq, offsetof(indices, flags));
    into.cq_off.overflow = offset(cq, offsetof(indices, lost));
    into.cq_off.cqes = static_cast<unsigned>(completions_at);
}

int uring_memory::map(void*& into, void* where, std::size_t size, int protection, int flags,
                      std::uint64_t at) noexcept {
    const bool is_entries = at == IORING_OFF_SQES;
    if (!is_entries && at != IORING_OFF_SQ_RING && at != IORING_OFF_CQ_RING) return -EINVAL;
    const std::size_t offset = is_entries ? entries_at_ : 0;
    if (size > size_ - offset) return -EINVAL;
    return real_.mmap(into, where, size, protection, flags, fd_, offset);
}

template <class T>
T* uring_memory::at(std::size_t offset) const noexcept {
    return reinterpret_cast<T*>(static_cast<std::byte*>(start_) + offset);
}

uring_memory::queues& uring_memory::shared() const noexcept {
    return *at<queues>(0);
}

unsigned uring_memory::submitted() const noexcept {
    const indices& sq = shared().sq;
    return io_uring_smp_load_acquire(&sq.tail) - sq.head;
}

io_uring_sqe uring_memory::take_entry() noexcept {
    indices& sq = shared().sq;
    const unsigned index = at<unsigned>(order_at_)[sq.head & sq.mask];
    const io_uring_sqe taken = at<io_uring_sqe>(entries_at_)[index & sq.mask];
    io_uring_smp_store_release(&sq.head, sq.head + 1);
    return taken;
}

unsigned uring_memory::completed() const noexcept {
    const indices& cq = shared().cq;
    return cq.tail - io_uring_smp_load_acquire(&cq.head);
}

void uring_memory::post(const io_uring_cqe& completion) noexcept {
    indices& cq = shared().cq;
    io_uring_cqe& place = at<io_uring_cqe>(completions_at)[cq.tail & cq.mask];
    place.user_data = completion.user_data;
    place.res = completion.res;
    place.flags = completion.flags;
    io_uring_smp_store_release(&cq.tail, cq.tail + 1);
}

void uring_memory::set_overflow(bool overflowed) noexcept {
    unsigned& flags = shared().sq.flags;
    IO_URING_WRITE_ONCE(flags, overflowed ? unsigned{IORING_SQ_CQ_OVERFLOW} : 0U);
}

}  // namespace sluice::sim
