// Implements buffer_pool: a free list, or io_uring's ring of provided buffers.
#include "sluice/io/buffer_pool.hpp"

#include <liburing.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::io {
namespace {

buffer_pool::options checked(buffer_pool::options o) {
    check(std::has_single_bit(o.count) && o.count <= 32768,
          "a pool has a power of two of buffers, at most 32,768");
    check(o.size > 0, "a buffer has at least a byte");
    o.at_first = std::clamp(o.at_first, 1U, o.count);
    return o;
}

mapping map_or_throw(const buffer_pool::options& o) {
    auto memory = mapping::create(std::size_t{o.count} * o.size);
    if (!memory) throw std::bad_alloc{};
    return std::move(*memory);
}

}  // namespace

buffer_pool::buffer_pool(options o, coro::resumable_list& woken)
    : options_{checked(o)}, memory_{map_or_throw(options_)}, links_(o.count), woken_{woken} {
    grow();
}

buffer_pool::~buffer_pool() {
    check(leased_ == 0, "a buffer pool is destroyed before its leases");
}

void buffer_pool::publish_in(io_uring_buf_ring* ring) noexcept {
    check(leased_ == 0, "buffers are published after the first was leased");
    ring_ = ring;
    while (free_ >= 0) {
        const int id = free_;
        free_ = link_of(id).next;
        offer(id);
    }
}

int buffer_pool::take() noexcept {
    if (free_ < 0 && !grow()) return -1;
    const int id = free_;
    free_ = link_of(id).next;
    count_lease();
    return id;
}

void buffer_pool::give_back(int id) noexcept {
    check(leased_ > 0, "a buffer is returned that was not leased");
    --leased_;
    offer(id);
    wake_one();
}

bool buffer_pool::grow() noexcept {
    if (in_use_ == options_.count) return false;
    const std::uint32_t target =
        in_use_ == 0 ? options_.at_first : std::min(in_use_ * 2, options_.count);
    for (; in_use_ < target; ++in_use_) offer(static_cast<int>(in_use_));
    return true;
}

void buffer_pool::shrink() noexcept {
    const std::uint32_t needed =
        std::max(options_.at_first, std::bit_ceil(std::exchange(most_leased_, leased_) * 2));
    keeps_more_ = leased_ > 0 || needed >= in_use_;
    if (keeps_more_) return;
    std::uint32_t first = 0;
    if (ring_ == nullptr) {
        first = needed;
        free_ = -1;
        in_use_ = needed;
        keeps_more_ = needed > options_.at_first;
        for (std::uint32_t id = 0; id < needed; ++id) offer(static_cast<int>(id));
    }
    // From the first page that holds no byte of a kept buffer.
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t from = ((std::size_t{first} * options_.size) + page - 1) / page * page;
    os::sys().madvise(static_cast<std::byte*>(memory_.data()) + from, memory_.size() - from,
                      MADV_DONTNEED);
}

void buffer_pool::wait(coro::resumable& r) noexcept {
    ++waits_;
    waiting_.push_back(r);
}

mutable_bytes buffer_pool::bytes(int id) noexcept {
    auto* start = static_cast<std::byte*>(memory_.data());
    return {start + (static_cast<std::size_t>(id) * options_.size), options_.size};
}

void buffer_pool::offer(int id) noexcept {
    if (ring_ == nullptr) {
        link_of(id).next = free_;
        free_ = id;
        return;
    }
    const auto buffer = bytes(id);
    io_uring_buf_ring_add(ring_, buffer.data(), static_cast<unsigned>(buffer.size()),
                          static_cast<unsigned short>(id), io_uring_buf_ring_mask(options_.count),
                          0);
    io_uring_buf_ring_advance(ring_, 1);
}

}  // namespace sluice::io
