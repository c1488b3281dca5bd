// Implements the counting of a job's waiting and running time.
#include "sluice/compute/server/counters.hpp"

namespace sluice::compute {

void compute_counters::count_job(std::uint64_t queued, std::uint64_t worked) noexcept {
    queued_ns.fetch_add(queued, std::memory_order_relaxed);
    worked_ns.fetch_add(worked, std::memory_order_relaxed);
    auto& mine = times.mine();
    mine.queued.add(queued);
    mine.worked.add(worked);
    auto longest = longest_queued_ns.load(std::memory_order_relaxed);
    while (queued > longest &&
           !longest_queued_ns.compare_exchange_weak(longest, queued, std::memory_order_relaxed)) {
    }
}

}  // namespace sluice::compute
