// Partial uploads: hidden files that wait to be resumed, with limits on age and number.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/files/server/quota.hpp"
#include "sluice/files/server/volume.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/shared_object.hpp"
#include "sluice/os/thread.hpp"
#include "sluice/os/wakeup.hpp"

namespace sluice::files {

/// One partial upload, as an operator sees it.
struct part_info {
    std::string id;           ///< argument of remove()
    std::string path;         ///< of the whole file; empty where the file system has no attributes
    std::uint64_t size = 0;   ///< bytes that have arrived
    std::uint64_t total = 0;  ///< bytes of the whole file; 0 as for `path`
    std::chrono::sys_seconds modified;
    bool active = false;  ///< it is being received at the moment
};

/// The partial uploads of a store: files with hidden names in the topmost directory of each of its
/// file systems, locked while they are received. Shared by the forked processes of a server. Any
/// thread.
class parts {
 public:
    struct limits {
        std::chrono::seconds age = std::chrono::hours{24};  ///< since the last byte
        std::uint64_t count = 1000;                         ///< beyond it, the oldest are removed
    };
    struct counters {
        std::atomic<std::uint64_t> waiting = 0;      ///< at present, active ones included
        std::atomic<std::uint64_t> expired = 0;      ///< removed by age
        std::atomic<std::uint64_t> crowded_out = 0;  ///< removed for newer ones
    };

    /// What is known of the bytes in a part.
    struct record {
        /// Bytes from the beginning that are as they arrived: all where no power loss has come
        /// between, or where that cannot be known.
        std::uint64_t good = 0;
        std::uint64_t durable = 0;  ///< of them, those that the next power loss leaves
        bool is_current = false;    ///< the description is of this boot
    };

    /// `path` is that of the directory of the store, `boot` of os::boot_id(). `on` and `budget`
    /// outlive this.
    parts(std::string path, std::string boot, const volumes& on, quota& budget, limits l);

    /// Opens and locks the part `id`, an empty one if there is none: EBUSY where another process or
    /// thread receives it. Evicts old parts for a new one, if make_space() has not. EACCES where
    /// the topmost directory of `on` cannot be written.
    [[nodiscard]] result<unique_fd> open(const volume& on, std::string_view id);
    /// Whether the limit is reached, so that open() evicts old parts for a new one.
    [[nodiscard]] bool is_full() const noexcept {
        return counters_->waiting.load(std::memory_order_relaxed) >= limits_.count;
    }
    /// Evicts old parts if is_full() and the part `id` is new. Blocks for as long as it takes to
    /// read the topmost directory of `on`.
    void make_space(const volume& on, std::string_view id);
    /// Stores path and size of the whole file beside the part (xattr(7)), and that its first
    /// `durable` bytes are on the disk. False if that failed.
    bool describe(int file, std::string_view path, std::uint64_t total,
                  std::uint64_t durable) const noexcept;
    /// Reads what describe() has stored beside a part of `size` bytes.
    [[nodiscard]] record look_up(int file, std::uint64_t size) const;
    /// Removes that description, before the file gets its name.
    static void forget_description(int file) noexcept;
    /// Counts off a part whose hidden name is gone.
    void ended() noexcept;

    [[nodiscard]] static std::string name_of(std::string_view id);

    /// Removes the parts that have received no byte for limits::age. Blocks.
    void expire();
    /// All parts, in no order. Blocks.
    [[nodiscard]] std::vector<part_info> list() const;
    /// ENOENT; EBUSY while the part is received. Blocks.
    [[nodiscard]] result<void> remove(std::string_view id);
    [[nodiscard]] const counters& counted() const noexcept { return *counters_; }

 private:
    struct waiting_part;
    [[nodiscard]] static std::vector<waiting_part> list_waiting(int top);
    /// False where the part is received at the moment, or is younger than `age`.
    bool try_remove(int top, const std::string& name, std::optional<std::chrono::seconds> age);
    void evict_oldest(int top);

    std::string path_;
    std::string boot_;
    const volumes& volumes_;
    quota& quota_;
    limits limits_;
    shared_object<counters> counters_;
    std::atomic<std::int64_t> all_active_at_ = 0;  // time in seconds at which all were last locked
};

/// Removes expired parts periodically on its own thread, which holds no lock that a forked process
/// could need.
class part_sweeper {
 public:
    /// `every` is the pause between runs. Without a thread, only server starts remove parts.
    part_sweeper(parts& of, std::chrono::milliseconds every) noexcept;
    part_sweeper(const part_sweeper&) = delete;
    part_sweeper& operator=(const part_sweeper&) = delete;
    ~part_sweeper();

 private:
    os::wakeup stop_;
    os::thread thread_;
};

}  // namespace sluice::files
