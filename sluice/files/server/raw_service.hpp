// Raw upload service: a client connects, streams a file and half-closes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/live_setting.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/server/pace.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/files/server/workers.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/model/access_log.hpp"
#include "sluice/model/model.hpp"
#include "sluice/os/shared_object.hpp"
#include "sluice/transfer/to_file.hpp"

namespace sluice::files {

/// Those that are live_setting may be set while it runs (raw_service::live()).
struct raw_options {
    transfer::to_file how = transfer::to_file::automatic;
    /// Bytes of one file.
    live_setting<std::uint64_t> max_size = std::numeric_limits<std::uint64_t>::max();
    live_setting<io::duration> idle_time{std::chrono::seconds{60}};  ///< before the first byte
    /// From then on, bytes per second over each body_time.
    live_setting<std::uint64_t> min_rate = default_upload_pace.bytes_a_second;
    live_setting<io::duration> body_time = default_upload_pace.window;
    bool any = false;  ///< streams that begin as HTTP and TLS do are kept, too
    /// Logs a line about the outcome of a client, without its newline. Any thread, any forked
    /// process; must not throw.
    std::function<void(std::string_view)> report;
    /// Logs a line about a transfer in progress; otherwise as `report`.
    std::function<void(std::string_view)> remark = {};
    model::access_log* access = nullptr;  ///< outlives the service; null: none
};

/// Counters of a raw upload service, in all threads and forked processes.
struct raw_counters {
    std::atomic<std::uint64_t> clients = 0;
    std::atomic<std::uint64_t> transfers = 0;  ///< in progress
    std::atomic<std::uint64_t> stored = 0;     ///< files, dropped ones included
    std::atomic<std::uint64_t> bytes = 0;      ///< of them
    std::atomic<std::uint64_t> lost = 0;       ///< clients that left before the end
    std::atomic<std::uint64_t> slow = 0;  ///< of them, clients beyond idle_time or below min_rate
    std::atomic<std::uint64_t> strangers = 0;  ///< clients that speak HTTP or TLS
    std::atomic<std::uint64_t> too_large = 0;
    std::atomic<std::uint64_t> failed = 0;  ///< files that the disk did not take
};

class lasting_transfer;

/// The stream of each client becomes a file, under a name that the store chooses, once it has ended
/// in order: then the connection is closed in order, too. A client that leaves in the middle leaves
/// no file. A client whose file cannot be kept, that stalls, or that speaks another protocol gets a
/// reset. Runs under every model.
class raw_service {
 public:
    /// Without a store, received bytes are counted and dropped. The store outlives the service.
    raw_service(store* into, raw_options o);
    raw_service(const raw_service&) = delete;
    raw_service& operator=(const raw_service&) = delete;
    ~raw_service();

    /// For a model. This object outlives it.
    [[nodiscard]] model::service service();
    [[nodiscard]] const raw_counters& counted() const noexcept { return *counters_; }
    /// Any thread: where its live settings are set.
    [[nodiscard]] raw_options& live() noexcept { return options_; }

 private:
    /// What became of a client's stream.
    struct outcome {
        std::string name = {};         ///< of the file that is kept; empty if none is
        std::string_view reason = {};  ///< why none is; static
        std::uint64_t received = 0;    ///< bytes
    };
    coro::task<void> serve(model::session& client);
    coro::task<outcome> receive(model::session& client);
    coro::task<result<void>> first_byte(model::session& client);
    /// A callback that logs the progress of a lasting transfer. Both arguments outlive it.
    [[nodiscard]] std::function<void()> progress_remark(const std::string& label,
                                                        const transfer::byte_counter& counter);
    coro::task<outcome> drop_from(model::session& client, std::string label);
    static coro::task<result<std::uint64_t>> drop(model::session& client,
                                                  transfer::byte_counter& counter);
    [[nodiscard]] static result<void> check_protocol(model::session& client) noexcept;
    [[nodiscard]] pace_limits pace() const noexcept {
        return {.window = options_.body_time, .bytes_a_second = options_.min_rate};
    }
    void count_lost(error why) noexcept;
    coro::task<outcome> store_from(model::session& client, std::string label);
    coro::task<result<std::uint64_t>> take(model::session& client, pending_file& file,
                                           std::uint64_t most, transfer::byte_counter& counter,
                                           lasting_transfer& going);
    coro::task<result<std::string>> commit(io::engine& engine, pending_file& file);
    coro::task<std::string> digest(io::engine& engine, pending_file& file, std::uint64_t size);
    void report(std::string_view what) noexcept;

    store* store_;
    raw_options options_;
    shared_object<raw_counters> counters_;
    transfer::shared_pipes pipes_;
    io::offload_pool disk_{{.workers = disk_workers, .queue = most_waiting_jobs}};
    // Digests of large files take seconds each; more threads would only share the cores.
    io::offload_pool digests_{{.workers = cpu_workers, .queue = most_waiting_jobs}};
};

}  // namespace sluice::files
