// Locks on one simulated file: flock(2), and those of open file descriptions (fcntl(2),
// F_OFD_SETLK).
#pragma once

#include <fcntl.h>

#include <cstdint>
#include <map>
#include <vector>

namespace sluice::sim {

/// Both kinds belong to an open file description, which `owner` identifies, and neither sees the
/// other. No call waits. Results are 0 or -errno.
class file_locks {
 public:
    /// LOCK_SH, LOCK_EX or LOCK_UN, with or without LOCK_NB; -EWOULDBLOCK where another has it.
    int flock(std::uint64_t owner, int operation);
    /// F_OFD_SETLK and F_OFD_GETLK, with l_whence SEEK_SET; -EAGAIN where another has it.
    int of_description(std::uint64_t owner, int command, struct flock& lock);
    /// The description is gone (close(2)).
    void release(std::uint64_t owner);

 private:
    struct range {
        std::uint64_t owner = 0;
        short type = F_RDLCK;
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
    };
    [[nodiscard]] const range* conflict(const range& with) const noexcept;
    void cut(const range& without);

    std::map<std::uint64_t, int> whole_;  // owner to LOCK_SH or LOCK_EX
    std::vector<range> ranges_;
};

}  // namespace sluice::sim
