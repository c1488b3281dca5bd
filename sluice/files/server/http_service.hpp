// HTTP/1.1 file service (RFC 9110, RFC 9112): clients put, fetch, list and remove files.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/latency_counts.hpp"
#include "sluice/base/live_setting.hpp"
#include "sluice/base/relaxed.hpp"
#include "sluice/base/spread.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/digest_pool.hpp"
#include "sluice/files/server/digest_queue.hpp"
#include "sluice/files/server/listing_cache.hpp"
#include "sluice/files/server/permissions.hpp"
#include "sluice/files/server/shared_digests.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/files/server/visitors.hpp"
#include "sluice/files/server/workers.hpp"
#include "sluice/http/request.hpp"
#include "sluice/http/visitor_origin.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/model/access_log.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/network.hpp"
#include "sluice/os/shared_object.hpp"
#include "sluice/transfer/to_file.hpp"
#include "sluice/transfer/to_socket.hpp"

namespace sluice::files {

/// Those that are live_setting may be set while it runs (http_service::live()).
struct http_options {
    transfer::to_file receive = transfer::to_file::automatic;
    transfer::to_socket send = transfer::to_socket::automatic;
    /// Bytes of one file.
    live_setting<std::uint64_t> max_size = std::numeric_limits<std::uint64_t>::max();
    permissions allowed = {};                       ///< what visitors may do but read
    visitors* who = nullptr;                        ///< if given, decides instead; outlives it
    std::vector<std::string> hosts = {};            ///< http::visitor_origin
    std::vector<std::string> pages = {};            ///< the same
    std::vector<net::network> proxies = {};         ///< trusted: forwarded_client()
    std::size_t max_line = std::size_t{8} * 1024;   ///< bytes of a request's first line
    std::size_t max_head = std::size_t{16} * 1024;  ///< bytes of a head; at most largest_head
    /// For a head, from its first byte; between two requests; in which a byte of a body must move.
    live_setting<io::duration> head_time{std::chrono::seconds{10}};
    live_setting<io::duration> idle_time{std::chrono::seconds{60}};
    live_setting<io::duration> body_time{std::chrono::seconds{30}};
    /// Bytes per second of an upload, over each body_time.
    live_setting<std::uint64_t> min_rate = 256;
    /// Responses wait for the digest of every file. Otherwise, where they do not wait for the disk
    /// either, that of a large file is computed after the response, unless it was requested.
    bool digest_always = false;
    /// Logs a line about the outcome of a request, without its newline. Any thread, any forked
    /// process; must not throw.
    std::function<void(std::string_view)> report;
    /// Logs a line about a transfer in progress; otherwise as `report`.
    std::function<void(std::string_view)> remark = {};
    /// The same for debugging.
    std::function<void(std::string_view)> detail = {};
    model::access_log* access = nullptr;  ///< outlives the service; null: none
    listing_cache::limits listing = {};

    static constexpr std::size_t largest_head = std::size_t{32} * 1024;
};

/// Answers by method and class of their status, and the time from the end of a request's head to
/// that of its answer, all of it sent or in the socket.
struct answer_counts {
    static constexpr std::size_t methods = static_cast<std::size_t>(http::http_method::unknown) + 1;
    static constexpr std::size_t classes = 5;  ///< 1xx to 5xx

    std::array<std::array<std::atomic<std::uint64_t>, classes>, methods> answers{};
    shared_latency times;

    void count(http::http_method method, unsigned status) noexcept {
        const std::size_t of_status = status / 100 - 1;
        answers.at(static_cast<std::size_t>(method)).at(of_status).fetch_add(1, relaxed);
    }
};

/// Counters of an HTTP file service, in all threads and forked processes.
struct http_counters {
    std::atomic<std::uint64_t> clients = 0;
    std::atomic<std::uint64_t> requests = 0;
    std::atomic<std::uint64_t> transfers = 0;      ///< uploads and downloads in progress
    std::atomic<std::uint64_t> stored = 0;         ///< files stored
    std::atomic<std::uint64_t> bytes_stored = 0;   ///< received in uploads
    std::atomic<std::uint64_t> fetched = 0;        ///< files sent, whole or in part
    std::atomic<std::uint64_t> bytes_fetched = 0;  ///< sent in downloads
    std::atomic<std::uint64_t> resumed = 0;        ///< uploads resumed after a break
    std::atomic<std::uint64_t> removed = 0;        ///< files and partial uploads
    std::atomic<std::uint64_t> lost = 0;           ///< clients that left during a transfer
    std::atomic<std::uint64_t> bad_requests = 0;   ///< no HTTP, or ambiguous
    std::atomic<std::uint64_t> other_hosts = 0;    ///< requests for a host that this is not
    std::atomic<std::uint64_t> foreign_pages = 0;  ///< writes that pages from elsewhere asked for
    std::atomic<std::uint64_t> forbidden = 0;      ///< requests that are not permitted
    std::atomic<std::uint64_t> unknown = 0;        ///< requests with a wrong password or token
    std::atomic<std::uint64_t> large_heads = 0;    ///< beyond max_line or max_head
    std::atomic<std::uint64_t> slow_heads = 0;     ///< beyond head_time
    std::atomic<std::uint64_t> slow_bodies = 0;    ///< beyond body_time, or below min_rate
    std::atomic<std::uint64_t> idle = 0;           ///< connections that were idle for idle_time
    std::atomic<std::uint64_t> too_large = 0;      ///< uploads beyond max_size
    std::atomic<std::uint64_t> no_space = 0;       ///< uploads beyond the disk or the quota
    std::atomic<std::uint64_t> wrong_digests = 0;  ///< uploads with another digest
    std::atomic<std::uint64_t> listed = 0;         ///< directories listed
    std::atomic<std::uint64_t> parts_waiting = 0;  ///< partial uploads, at present
    std::atomic<std::uint64_t> parts_expired = 0;  ///< of them, removed by age
    std::atomic<std::uint64_t> parts_crowded_out = 0;  ///< of them, removed for newer ones
    std::atomic<std::uint64_t> cut_files = 0;          ///< files that became shorter while sent
    std::atomic<std::uint64_t> failed = 0;             ///< responses 500 and 503, read errors
    spread<answer_counts> answered;
};

/// Serves a store. Runs under every model, for each client as long as its connection is kept.
class http_service {
 public:
    /// The store outlives it.
    http_service(store& files, http_options o);
    http_service(const http_service&) = delete;
    http_service& operator=(const http_service&) = delete;
    ~http_service();

    /// For a model. This object outlives it.
    [[nodiscard]] model::service service();
    [[nodiscard]] const http_counters& counted() const noexcept;

    /// Any thread: where its live settings are set.
    [[nodiscard]] http_options& live() noexcept { return options_; }

    /// For the handlers of the methods.
    [[nodiscard]] store& files() noexcept { return store_; }
    [[nodiscard]] const http_options& options() const noexcept { return options_; }
    [[nodiscard]] const http::visitor_origin& origins() const noexcept { return origins_; }
    [[nodiscard]] http_counters& counting() noexcept { return *counters_; }
    [[nodiscard]] digest_queue& later() noexcept { return digest_queue_; }
    [[nodiscard]] digest_pool& crew() noexcept { return follower_pool_; }
    void report(std::string_view what) noexcept {
        if (options_.report) options_.report(what);
    }
    void remark(std::string_view what) noexcept {
        if (options_.remark) options_.remark(what);
    }
    void detail(std::string_view what) noexcept {
        if (options_.detail) options_.detail(what);
    }
    /// For jobs that wait for the disk, and for short digests.
    [[nodiscard]] io::offload_pool& disk() noexcept { return disk_; }
    /// For writing behind an upload that arrives faster than the disk takes it; other requests do
    /// not wait behind that.
    [[nodiscard]] io::offload_pool& writers() noexcept { return writers_; }
    /// For the bodies of uploads.
    [[nodiscard]] transfer::shared_pipes& pipes() noexcept { return pipes_; }
    /// For reading directories and formatting their listings.
    [[nodiscard]] io::offload_pool& listers() noexcept { return listers_; }
    [[nodiscard]] listing_cache& listings() noexcept { return listings_; }
    /// For digests that clients request, which may take seconds each.
    [[nodiscard]] io::offload_pool& digests() noexcept { return digests_; }
    [[nodiscard]] shared_digests& shared() noexcept { return shared_; }
    /// For the rest of the digest of an upload, after its last byte.
    [[nodiscard]] io::offload_pool& upload_digests() noexcept { return upload_digests_; }

 private:
    store& store_;
    http_options options_;
    http::visitor_origin origins_;
    shared_object<http_counters> counters_;
    transfer::shared_pipes pipes_;
    digest_queue digest_queue_;
    digest_pool follower_pool_;
    io::offload_pool disk_{{.workers = disk_workers, .queue = most_waiting_jobs}};
    io::offload_pool writers_{{.workers = disk_workers, .queue = most_waiting_jobs}};
    listing_cache listings_;
    io::offload_pool listers_{{.workers = cpu_workers, .queue = most_waiting_jobs}};
    shared_digests shared_;
    io::offload_pool digests_{{.workers = cpu_workers, .queue = most_waiting_jobs}};
    io::offload_pool upload_digests_{{.workers = cpu_workers, .queue = most_waiting_jobs}};
};

/// Runs `f`, which returns a result, in place or on a thread of disk() (offload_pool::run).
template <class F>
coro::task<std::invoke_result_t<F&>> on_disk(http_service& service, io::engine& engine, F f) {
    co_return co_await service.disk().run(engine, std::move(f));
}

}  // namespace sluice::files
