// Cache of the entries of directories, shared by all clients.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/files/server/folder.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::files {

/// Caches the directories that were requested last, each as long as its names do not change and for
/// two seconds at most, for a file can grow without a change of its directory. Any thread.
class listing_cache {
 public:
    struct limits {
        std::size_t entries = 100'000;               ///< per directory
        std::size_t memory = std::size_t{64} << 20;  ///< bytes of all listings cached or being sent
    };

    /// The store outlives it.
    listing_cache(const store& of, limits l) : store_{of}, limits_{l} {}

    /// The contents of the directory at `path`. Blocks during a read; another request for the same
    /// directory waits for that read. Errno of openat2(2); ENOBUFS where listings that are still
    /// being sent take all the memory of the cache.
    [[nodiscard]] result<std::shared_ptr<const folder_contents>> get(std::string_view path);
    /// Bytes of all listings that are cached or being sent.
    [[nodiscard]] std::size_t memory() const noexcept { return *memory_; }

 private:
    using contents = std::shared_ptr<const folder_contents>;
    struct slot {
        std::string path;
        os::mutex reading;
        folder_version version;
        os::clock::time_point read_at;
        contents holds;
    };
    static constexpr std::size_t most_slots = 64;

    [[nodiscard]] std::shared_ptr<slot> slot_for(std::string_view path);
    [[nodiscard]] result<contents> count(folder_contents& found);
    void drop_others(const slot* but);

    const store& store_;
    limits limits_;
    std::shared_ptr<std::atomic<std::size_t>> memory_ =
        std::make_shared<std::atomic<std::size_t>>(0);
    os::mutex mutex_;
    std::list<std::shared_ptr<slot>> slots_;  // most recently used first
};

}  // namespace sluice::files
