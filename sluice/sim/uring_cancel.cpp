// Implements how a simulated ring cancels requests, and how a cancel comes too late.
#include <cerrno>

#include "sluice/sim/simulated_kernel.hpp"
#include "sluice/sim/uring.hpp"

namespace sluice::sim {
namespace {

constexpr virtual_time longest_end = a_millisecond;

}  // namespace

int uring::cancel(const uring_request& by) {
    const unsigned flags = by.entry.cancel_flags;
    const bool all = (flags & IORING_ASYNC_CANCEL_ALL) != 0;
    std::shared_ptr<description> of;
    if ((flags & IORING_ASYNC_CANCEL_FD) != 0) {
        of = kernel_.find(by.entry.fd);
        if (of == nullptr) return -EBADF;
    }
    std::vector<std::uint64_t> found;
    for (const auto& [number, r] : requests_) {
        if (number == by.number) continue;
        const bool matches = of != nullptr ? r.on == of : r.entry.user_data == by.entry.addr;
        if (matches) found.push_back(number);
    }
    if (found.empty()) return -ENOENT;
    if (!all) return cancel_one(requests_.at(found.front()));
    int ended = 0;
    for (const std::uint64_t number : found) {
        if (cancel_one(requests_.at(number)) == 0) ++ended;
    }
    return ended;
}

int uring::cancel_one(uring_request& r) {
    random& chance = kernel_.chance();
    // Its completion is on the way.
    if (r.ended) return chance.chance(0.5) ? -ENOENT : -EALREADY;
    const bool on_thread = r.now == uring_request::state::thread;
    const bool woken = r.now == uring_request::state::due && chance.chance(0.5);
    if (on_thread || woken || chance.chance(kernel_.faults().ring_cancel)) {
        // It ends soon, by itself or because it was interrupted.
        r.interrupted = true;
        if (on_thread || r.now == uring_request::state::due) return -EALREADY;
        if (r.is_multishot() || r.selects_buffer()) {
            make_due(r);
        } else {
            hand_to_thread(r, chance.between(1, longest_end));
        }
        return -EALREADY;
    }
    finish(r, cancelled(r, -ECANCELED));
    return 0;
}

uring::outcome uring::cancelled(const uring_request& r, int error) noexcept {
    return {.result = r.done > 0 ? static_cast<int>(r.done) : error};
}

}  // namespace sluice::sim
