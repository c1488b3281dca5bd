// Partial uploads that wait, hidden, to be resumed: found, limited, listed and removed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/shared_object.hpp"
#include "sluice/files/server/quota.hpp"
#include "sluice/files/server/volume.hpp"

namespace sluice::files {

/// One partial upload, as an operator sees it.
struct part_info {
    std::string id;    ///< what remove() takes
    std::string path;  ///< where the file will be; empty where the file system did not keep it
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
        std::chrono::seconds age = std::chrono::hours{24};  ///< without a byte
        std::uint64_t count = 1000;  ///< beyond it, those that wait longest go
    };
    struct counters {
        std::atomic<std::uint64_t> waiting =
            0;  ///< at the moment, those that are received included
        std::atomic<std::uint64_t> expired = 0;      ///< removed by age
        std::atomic<std::uint64_t> crowded_out = 0;  ///< removed for newer ones
    };

    /// `path` is that of the store's directory. Both others outlive this.
    parts(std::string path, const volumes& on, quota& room, limits l);

    /// Opens the part `id`, an empty one if there is none, and locks it: EBUSY where another
    /// process or thread receives it. Makes room for a new one first, if that was not done. EACCES
    /// where the topmost directory of `on` cannot be written.
    [[nodiscard]] result<unique_fd> open(const volume& on, std::string_view id);
    /// Whether there are so many that open() makes room for a new one.
    [[nodiscard]] bool is_full() const noexcept {
        return counters_->waiting.load(std::memory_order_relaxed) >= limits_.count;
    }
    /// Makes room for the part `id`, if it is a new one. Blocks for as long as it takes to read the
    /// topmost directory of `on`.
    void make_room(const volume& on, std::string_view id);
    /// Remembers beside the file (xattr(7)) what it is a part of.
    static void describe(int file, std::string_view path, std::uint64_t total) noexcept;
    /// It is no part any more; before it gets its name.
    static void forget_description(int file) noexcept;
    /// Its hidden name is gone.
    void ended() noexcept;

    [[nodiscard]] static std::string name_of(std::string_view id);

    /// Removes those that had no byte for longer than they may. Blocks.
    void expire();
    /// In no order. Blocks.
    [[nodiscard]] std::vector<part_info> list() const;
    /// ENOENT; EBUSY while it is received. Blocks.
    [[nodiscard]] result<void> remove(std::string_view id);
    [[nodiscard]] const counters& counted() const noexcept { return *counters_; }

 private:
    struct waiting_part;
    [[nodiscard]] static std::vector<waiting_part> waiting_in(int top);
    /// False where it is received at the moment.
    bool take_away(int top, const std::string& name, std::optional<std::chrono::seconds> age);
    void crowd_out(int top);

    std::string path_;
    const volumes& volumes_;
    quota& room_;
    limits limits_;
    shared_object<counters> counters_;
    std::atomic<std::int64_t> crowded_at_ = 0;  // seconds: the last time that all were received
};

/// Removes expired parts from time to time on a thread of its own, which holds no lock that a
/// forked process could need.
class part_sweeper {
 public:
    /// `every` is the pause between two looks. Without a thread to be had, only starts remove them.
    part_sweeper(parts& of, std::chrono::milliseconds every) noexcept;
    part_sweeper(const part_sweeper&) = delete;
    part_sweeper& operator=(const part_sweeper&) = delete;
    ~part_sweeper();

 private:
    unique_fd stop_;  // eventfd(2)
    std::optional<std::thread> thread_;
};

}  // namespace sluice::files
