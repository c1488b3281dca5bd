// Implements reservation with fallocate(2).
#include "sluice/transfer/reservation.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>

#include "sluice/os/kernel.hpp"

namespace sluice::transfer {

std::uint64_t reservation::target_for(std::uint64_t end) const noexcept {
    const std::uint64_t left = limits_.most - std::min(limits_.most, end);
    std::uint64_t ahead = std::min({step, left, end - std::min(end, limits_.begin)});
    struct statvfs disk{};
    if (on_ && ahead > 0 && os::sys().fstatvfs(file_, disk) == 0) {
        ahead = std::min(ahead, std::uint64_t{disk.f_bavail} * disk.f_frsize / share);
    }
    return end + ahead;
}

result<void> reservation::reserve_to(std::uint64_t end) noexcept {
    if (limits_.claim) {
        if (auto claimed = limits_.claim(end); !claimed) return claimed;
    }
    int done = 0;
    while (on_) {
        done = os::sys().fallocate(file_, FALLOC_FL_KEEP_SIZE, covered_, end - covered_);
        if (done != -EINTR) break;
    }
    if (done == -ENOSPC || done == -EDQUOT || done == -EFBIG) return failure_of(-done);
    if (done < 0) on_ = false;
    covered_ = end;
    return {};
}

result<void> reservation::cover(std::uint64_t end, bool more) noexcept {
    if (end <= covered_ || (!on_ && !limits_.claim)) return {};
    if (more) {
        // Without space for the bytes ahead there may still be space up to `end`.
        const std::uint64_t target = target_for(end);
        if (target > end && reserve_to(target)) return {};
    }
    return reserve_to(end);
}

result<void> reservation::finish(std::uint64_t end) noexcept {
    if (covered_ <= end) return {};
    if (const int failed = os::sys().ftruncate(file_, end); failed < 0) return failure_of(-failed);
    return {};
}

}  // namespace sluice::transfer
