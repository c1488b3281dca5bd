// The HTTP door: files are put, fetched, listed and removed by whoever speaks HTTP/1.1 (RFC 9110,
// RFC 9112).
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

#include "sluice/base/shared_object.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/digest_crew.hpp"
#include "sluice/files/server/digest_later.hpp"
#include "sluice/files/server/late_pool.hpp"
#include "sluice/files/server/listing_cache.hpp"
#include "sluice/files/server/shared_digests.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/model/model.hpp"
#include "sluice/transfer/to_file.hpp"
#include "sluice/transfer/to_socket.hpp"

namespace sluice::files {

struct http_options {
    transfer::to_file receive = transfer::to_file::automatic;
    transfer::to_socket send = transfer::to_socket::automatic;
    std::uint64_t max_size = std::numeric_limits<std::uint64_t>::max();  ///< bytes of one file
    bool allow_delete = false;
    std::size_t max_line = std::size_t{8} * 1024;       ///< bytes of a request's first line
    std::size_t max_head = std::size_t{16} * 1024;      ///< of the whole head; at most largest_head
    io::duration head_time = std::chrono::seconds{10};  ///< for a head, from its first byte
    io::duration idle_time = std::chrono::seconds{60};  ///< between two requests
    io::duration body_time = std::chrono::seconds{30};  ///< in which something of a body must move
    std::uint64_t min_rate = 256;  ///< bytes a second of an upload, over each body_time
    /// Answers wait for the digest of every file. Else, where nobody waits for the disk either,
    /// that of a large one for which nobody asked is made after the answer.
    bool digest_always = false;
    /// Takes a line for people about what came of an upload, without its end. Any thread, any
    /// forked process; must not throw.
    std::function<void(std::string_view)> report;
    /// Takes a line for people about what goes on, for the log; otherwise as `report`.
    std::function<void(std::string_view)> remark = {};
    listing_cache::limits listing = {};

    static constexpr std::size_t largest_head = std::size_t{32} * 1024;
};

/// What an HTTP door has counted, in all threads and forked processes.
struct http_counters {
    std::atomic<std::uint64_t> clients = 0;
    std::atomic<std::uint64_t> requests = 0;
    std::atomic<std::uint64_t> transfers = 0;      ///< uploads and downloads that go on now
    std::atomic<std::uint64_t> stored = 0;         ///< files that were put
    std::atomic<std::uint64_t> bytes_stored = 0;   ///< of them, as they came
    std::atomic<std::uint64_t> fetched = 0;        ///< files, or parts of them, that were sent
    std::atomic<std::uint64_t> bytes_fetched = 0;  ///< of them
    std::atomic<std::uint64_t> resumed = 0;        ///< uploads that went on after a cut
    std::atomic<std::uint64_t> removed = 0;        ///< files
    std::atomic<std::uint64_t> lost = 0;           ///< clients that left in the middle
    std::atomic<std::uint64_t> bad_requests = 0;   ///< that were no HTTP, or ambiguous
    std::atomic<std::uint64_t> large_heads = 0;    ///< beyond max_line or max_head
    std::atomic<std::uint64_t> slow_heads = 0;     ///< beyond head_time
    std::atomic<std::uint64_t> slow_bodies = 0;    ///< beyond body_time, or below min_rate
    std::atomic<std::uint64_t> idle = 0;           ///< connections that were idle for idle_time
    std::atomic<std::uint64_t> too_large = 0;      ///< uploads beyond max_size
    std::atomic<std::uint64_t> no_room = 0;        ///< uploads that the disk or the quota had no
                                                   ///< room for
    std::atomic<std::uint64_t> wrong_digests = 0;  ///< uploads that were not what was sent
    std::atomic<std::uint64_t> listed = 0;         ///< directories that were shown
    std::atomic<std::uint64_t> parts_waiting = 0;  ///< uploads that wait to be resumed, at present
    std::atomic<std::uint64_t> parts_expired = 0;  ///< of them, removed by age
    std::atomic<std::uint64_t> parts_crowded_out = 0;  ///< removed for newer ones
    std::atomic<std::uint64_t> cut_files = 0;          ///< that became shorter while they were sent
    std::atomic<std::uint64_t> failed = 0;             ///< answers of 500 and 503, and files that
                                                       ///< the disk did not give whole
};

/// Serves a store. Runs under every model, for each guest as long as the connection is kept.
class http_door {
 public:
    /// The store outlives it.
    http_door(store& files, http_options o);
    http_door(const http_door&) = delete;
    http_door& operator=(const http_door&) = delete;
    ~http_door();

    /// For a model. This object outlives it.
    [[nodiscard]] model::service service();
    [[nodiscard]] const http_counters& counted() const noexcept;

    /// For those who answer.
    [[nodiscard]] store& files() noexcept { return store_; }
    [[nodiscard]] const http_options& options() const noexcept { return options_; }
    [[nodiscard]] http_counters& counting() noexcept { return *counters_; }
    [[nodiscard]] digest_later& later() noexcept { return later_; }
    [[nodiscard]] digest_crew& crew() noexcept { return crew_; }
    void report(std::string_view what) noexcept {
        if (options_.report) options_.report(what);
    }
    void remark(std::string_view what) noexcept {
        if (options_.remark) options_.remark(what);
    }
    /// For what waits for the disk or burns the CPU.
    [[nodiscard]] late_pool& disk() noexcept { return disk_; }
    /// For what arrives faster than the disk takes it; what others ask for does not wait behind
    /// that.
    [[nodiscard]] late_pool& writers() noexcept { return writers_; }
    /// For directories that are read and written out.
    [[nodiscard]] late_pool& listers() noexcept { return listers_; }
    [[nodiscard]] listing_cache& listings() noexcept { return listings_; }
    /// For digests that clients ask for, which may take seconds each.
    [[nodiscard]] late_pool& digests() noexcept { return digests_; }
    [[nodiscard]] shared_digests& shared() noexcept { return shared_; }
    /// For the rest of the digest of an upload that has come.
    [[nodiscard]] late_pool& upload_digests() noexcept { return upload_digests_; }

 private:
    store& store_;
    http_options options_;
    shared_object<http_counters> counters_;
    digest_later later_;
    digest_crew crew_;
    late_pool disk_{disk_workers};
    late_pool writers_{disk_workers};
    listing_cache listings_;
    late_pool listers_{cpu_workers};
    shared_digests shared_;
    late_pool digests_{cpu_workers};
    late_pool upload_digests_{cpu_workers};
};

/// What `f` returns, a result: in place where the engine blocks, else on a thread of the door's.
template <class F>
coro::task<std::invoke_result_t<F&>> on_disk(http_door& door, io::engine& here, F f) {
    co_return co_await door.disk().run(here, std::move(f));
}

}  // namespace sluice::files
