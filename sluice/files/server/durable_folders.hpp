// The directories of a store whose names are known to be on the disk.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "sluice/os/kernel.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::files {

/// A directory that is there need not be on the disk: another upload that has made it may not have
/// come to its sync yet, or its process may have died before. So a process syncs what is above a
/// directory once, before it acknowledges the first file in it. Any thread.
class durable_folders {
 public:
    [[nodiscard]] bool has(int folder) {
        const auto id = id_of(folder);
        const std::lock_guard held{lock_};
        return id && known_.contains(*id);
    }
    /// What is above `folder` was synced when it was there.
    void add(int folder) {
        const auto id = id_of(folder);
        const std::lock_guard held{lock_};
        // One that is forgotten costs a sync.
        if (known_.size() >= most_known) known_.clear();
        if (id) known_.insert(*id);
    }
    /// `folder` was made now, perhaps with the number of one that is gone.
    void forget(int folder) {
        const auto id = id_of(folder);
        const std::lock_guard held{lock_};
        if (id) known_.erase(*id);
    }

 private:
    using identity = std::pair<dev_t, ino_t>;
    static constexpr std::size_t most_known = 10'000;

    static std::optional<identity> id_of(int folder) noexcept {
        struct stat now{};
        if (os::sys().fstat(folder, now) < 0) return std::nullopt;
        return identity{now.st_dev, now.st_ino};
    }

    os::mutex lock_;
    std::set<identity> known_;
};

}  // namespace sluice::files
