// One anonymous page that survives a fork as one.
#include "sluice/service/compute/tally.hpp"

#include <sys/mman.h>

#include <memory>
#include <new>

namespace sluice::service {
namespace {

void* map_shared(std::size_t size) {
    void* where = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (where == MAP_FAILED) throw std::bad_alloc{};
    return where;
}

}  // namespace

void tally::count_effort(std::uint64_t queued, std::uint64_t worked) noexcept {
    queued_ns.fetch_add(queued, std::memory_order_relaxed);
    worked_ns.fetch_add(worked, std::memory_order_relaxed);
    auto longest = longest_queued_ns.load(std::memory_order_relaxed);
    while (queued > longest &&
           !longest_queued_ns.compare_exchange_weak(longest, queued, std::memory_order_relaxed)) {
    }
}

// NOLINTNEXTLINE(cppcoreguidelines-owning-memory): made in memory of its own
shared_tally::shared_tally() : tally_{::new(map_shared(sizeof(tally))) tally} {}

shared_tally::~shared_tally() {
    std::destroy_at(tally_);
    ::munmap(tally_, sizeof(tally));
}

}  // namespace sluice::service
