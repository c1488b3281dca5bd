// fallocate(2), as far as the file system goes along.
#include "sluice/transfer/reservation.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace sluice::transfer {

result<void> reservation::cover(std::uint64_t end, bool more) noexcept {
    if (!on_ || end <= covered_) return {};
    const std::uint64_t target = more ? (end / step + 1) * step : end;
    int done = 0;
    do {
        done = ::fallocate(file_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(covered_),
                           static_cast<off_t>(target - covered_));
    } while (done < 0 && errno == EINTR);
    if (done < 0 && more && errno == ENOSPC) {
        // There may be room for what comes, if not for what might.
        return cover(end, false);
    }
    if (done < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) {
        return failure_of(errno);
    }
    if (done < 0) on_ = false;
    covered_ = target;
    return {};
}

result<void> reservation::finish(std::uint64_t end) noexcept {
    if (covered_ <= end) return {};
    if (::ftruncate(file_, static_cast<off_t>(end)) < 0) return failure_of(errno);
    return {};
}

}  // namespace sluice::transfer
