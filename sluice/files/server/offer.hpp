// Service that sends one file to each client, then ends the connection.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/server/pace.hpp"
#include "sluice/model/access_log.hpp"
#include "sluice/model/model.hpp"
#include "sluice/os/shared_object.hpp"
#include "sluice/transfer/to_socket.hpp"

namespace sluice::files {

/// Counters of an offer, in all threads and forked processes.
struct offer_counters {
    std::atomic<std::uint64_t> clients = 0;
    std::atomic<std::uint64_t> served = 0;  ///< clients that were sent all of it
    std::atomic<std::uint64_t> bytes = 0;   ///< sent to all clients
    std::atomic<std::uint64_t> lost = 0;    ///< clients that left before the end
    std::atomic<std::uint64_t> slow = 0;    ///< of them, clients slower than `pace`
    std::atomic<std::uint64_t> begun = 0;   ///< clients that were or are being sent all of it
};

struct offer_options {
    transfer::to_socket how = transfer::to_socket::automatic;
    std::uint64_t count = 0;                            ///< number of clients to serve; 0: all
    pace_limits pace = default_upload_pace;             ///< minimum pace of a client
    io::duration idle_time = std::chrono::seconds{10};  ///< for the end of its stream
    /// Logs a line about the outcome of a client, without its newline. Any thread, any forked
    /// process; must not throw.
    std::function<void(std::string_view)> report;
    model::access_log* access = nullptr;  ///< outlives the offer; null: none
    /// Called after the last of `count` clients was served, in any thread or forked process.
    std::function<void()> done;
};

/// Opens the file per client: a file that is replaced meanwhile is sent to later clients, and does
/// not change one that is being sent. Runs under every model.
class offer {
 public:
    offer(std::string path, offer_options o);
    offer(const offer&) = delete;
    offer& operator=(const offer&) = delete;
    ~offer() = default;

    /// The size of the file in bytes, now. ENOENT, EACCES; EISDIR; EINVAL for no regular file.
    [[nodiscard]] result<std::uint64_t> size() const;
    /// For a model. This object outlives it.
    [[nodiscard]] model::service service();
    [[nodiscard]] const offer_counters& counted() const noexcept { return *counters_; }

 private:
    coro::task<void> serve(model::session& client);
    coro::task<bool> send_to(model::session& client, std::uint64_t number,
                             model::access_event& told);

    std::string path_;
    offer_options options_;
    shared_object<offer_counters> counters_;
};

}  // namespace sluice::files
