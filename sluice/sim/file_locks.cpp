// Implements locks on simulated files.
#include "sluice/sim/file_locks.hpp"

#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace sluice::sim {

int file_locks::flock(std::uint64_t owner, int operation) {
    const int type = operation & ~LOCK_NB;
    if (type != LOCK_SH && type != LOCK_EX && type != LOCK_UN) return -EINVAL;
    // A conversion is not atomic: the lock that was held is given up first.
    whole_.erase(owner);
    if (type == LOCK_UN) return 0;
    for (const auto& [other, held] : whole_) {
        if (type == LOCK_EX || held == LOCK_EX) return -EWOULDBLOCK;
    }
    whole_.emplace(owner, type);
    return 0;
}

int file_locks::of_description(std::uint64_t owner, int command, struct flock& lock) {
    if (lock.l_whence != SEEK_SET || lock.l_start < 0 || lock.l_len < 0) return -EINVAL;
    range wanted{.owner = owner,
                 .type = lock.l_type,
                 .begin = static_cast<std::uint64_t>(lock.l_start),
                 .end = std::numeric_limits<std::uint64_t>::max()};
    if (lock.l_len > 0) wanted.end = wanted.begin + static_cast<std::uint64_t>(lock.l_len);
    const range* const other = wanted.type == F_UNLCK ? nullptr : conflict(wanted);
    if (command == F_OFD_GETLK) {
        lock.l_type = F_UNLCK;
        if (other == nullptr) return 0;
        lock.l_type = other->type;
        lock.l_start = static_cast<off_t>(other->begin);
        lock.l_len = other->end == std::numeric_limits<std::uint64_t>::max()
                         ? 0
                         : static_cast<off_t>(other->end - other->begin);
        lock.l_pid = -1;
        return 0;
    }
    if (other != nullptr) return -EAGAIN;
    cut(wanted);
    if (wanted.type != F_UNLCK) ranges_.push_back(wanted);
    return 0;
}

const file_locks::range* file_locks::conflict(const range& with) const noexcept {
    const auto found = std::ranges::find_if(ranges_, [&with](const range& r) {
        return r.owner != with.owner && r.begin < with.end && with.begin < r.end &&
               (r.type == F_WRLCK || with.type == F_WRLCK);
    });
    return found == ranges_.end() ? nullptr : &*found;
}

/// Takes the range out of the locks of its owner.
void file_locks::cut(const range& without) {
    std::vector<range> left;
    for (const range& r : ranges_) {
        if (r.owner != without.owner || r.end <= without.begin || without.end <= r.begin) {
            left.push_back(r);
            continue;
        }
        range before = r;
        range after = r;
        before.end = without.begin;
        after.begin = without.end;
        if (before.begin < before.end) left.push_back(before);
        if (after.begin < after.end) left.push_back(after);
    }
    ranges_ = std::move(left);
}

void file_locks::release(std::uint64_t owner) {
    whole_.erase(owner);
    std::erase_if(ranges_, [owner](const range& r) { return r.owner == owner; });
}

}  // namespace sluice::sim
