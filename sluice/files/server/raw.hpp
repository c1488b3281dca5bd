// The raw door: whoever connects, streams and half-closes has stored a file.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/base/shared_object.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/server/late_pool.hpp"
#include "sluice/files/server/pace.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/model/model.hpp"
#include "sluice/transfer/to_file.hpp"

namespace sluice::files {

struct raw_options {
    transfer::to_file how = transfer::to_file::automatic;
    std::uint64_t max_size = std::numeric_limits<std::uint64_t>::max();  ///< bytes of one file
    io::duration idle_time = std::chrono::seconds{60};                   ///< before the first byte
    pace_limits pace = default_upload_pace;                              ///< from then on
    /// Takes a line for people about what came of a client, without its end. Any thread, any forked
    /// process; must not throw.
    std::function<void(std::string_view)> report;
    /// Takes a line for people about what goes on, for the log; otherwise as `report`.
    std::function<void(std::string_view)> remark = {};
};

/// What a raw door has counted, in all threads and forked processes.
struct raw_counters {
    std::atomic<std::uint64_t> clients = 0;
    std::atomic<std::uint64_t> transfers = 0;  ///< that go on now
    std::atomic<std::uint64_t> stored = 0;     ///< files, those that were only counted included
    std::atomic<std::uint64_t> bytes = 0;      ///< of them
    std::atomic<std::uint64_t> lost = 0;       ///< clients that went away before the end
    std::atomic<std::uint64_t> slow = 0;       ///< of them, those beyond idle_time or `pace`
    std::atomic<std::uint64_t> too_large = 0;
    std::atomic<std::uint64_t> failed = 0;  ///< the disk did not take it
};

class lasting_transfer;

/// Each client's stream becomes a file under a name of the store's choice, once it has ended in
/// order: then the connection is closed in order, too. A client that goes away in the middle leaves
/// nothing; one whose file could not be kept is reset, so that it hears of it, and so is one that
/// stalls. Runs under every model.
class raw_door {
 public:
    /// Without a store, what comes is counted and dropped. It outlives the door.
    raw_door(store* into, raw_options o);
    raw_door(const raw_door&) = delete;
    raw_door& operator=(const raw_door&) = delete;
    ~raw_door();

    /// For a model. This object outlives it.
    [[nodiscard]] model::service service();
    [[nodiscard]] const raw_counters& counted() const noexcept { return *counters_; }

 private:
    coro::task<void> receive(model::guest& client);
    coro::task<result<void>> first_byte(model::guest& client);
    /// Says how far a transfer is that lasts. Both outlive what it gives.
    [[nodiscard]] std::function<void()> remark_on(const std::string& who,
                                                  const transfer::moved& told);
    coro::task<void> drop_from(model::guest& client, std::string who);
    static coro::task<result<std::uint64_t>> drop(model::guest& client, transfer::moved& told);
    void count_lost(error why) noexcept;
    coro::task<void> store_from(model::guest& client, std::string who);
    coro::task<result<std::uint64_t>> take(model::guest& client, incoming& file, std::uint64_t most,
                                           transfer::moved& told, lasting_transfer& going);
    coro::task<result<std::string>> keep(io::engine& here, incoming& file);
    coro::task<std::string> digest(io::engine& here, incoming& file, std::uint64_t size);
    void report(std::string_view what) noexcept;

    store* store_;
    raw_options options_;
    shared_object<raw_counters> counters_;
    late_pool disk_{disk_workers};
    // Digests of large files take seconds each; more at a time would only share the cores.
    late_pool digests_{2};
};

}  // namespace sluice::files
