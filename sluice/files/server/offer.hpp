// Whoever connects gets the bytes of one file, then the end.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/base/shared_object.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/files/server/pace.hpp"
#include "sluice/model/model.hpp"
#include "sluice/transfer/to_socket.hpp"

namespace sluice::files {

/// What an offer has counted, in all threads and forked processes.
struct offer_counters {
    std::atomic<std::uint64_t> clients = 0;
    std::atomic<std::uint64_t> served = 0;  ///< who were sent all of it
    std::atomic<std::uint64_t> bytes = 0;   ///< that were sent to anybody
    std::atomic<std::uint64_t> lost = 0;    ///< who went away before the end
    std::atomic<std::uint64_t> slow = 0;    ///< of them, those that were slower than `pace`
    std::atomic<std::uint64_t> begun = 0;   ///< who have been sent all of it, or are being sent it
};

struct offer_options {
    transfer::to_socket how = transfer::to_socket::automatic;
    std::uint64_t count = 0;                            ///< how many clients get it; 0: all
    pace_limits pace = default_upload_pace;             ///< what a client takes at least
    io::duration idle_time = std::chrono::seconds{10};  ///< for its end, once it has everything
    /// Takes a line for people about what came of a client, without its end. Any thread, any forked
    /// process; must not throw.
    std::function<void(std::string_view)> report;
    /// Called by whoever served the last of `count`, in any thread or forked process.
    std::function<void()> done;
};

/// Opens the file anew for each client, so a file that is replaced meanwhile is sent as it is then,
/// and one that is being sent stays what it was. Runs under every model.
class offer {
 public:
    offer(std::string path, offer_options o);
    offer(const offer&) = delete;
    offer& operator=(const offer&) = delete;
    ~offer() = default;

    /// The size of the file in bytes, now. ENOENT, EACCES; EISDIR, or EINVAL for what is no file.
    [[nodiscard]] result<std::uint64_t> look() const;
    /// For a model. This object outlives it.
    [[nodiscard]] model::service service();
    [[nodiscard]] const offer_counters& counted() const noexcept { return *counters_; }

 private:
    coro::task<void> serve(model::guest& client);
    coro::task<bool> send_to(model::guest& client, std::uint64_t number);

    std::string path_;
    offer_options options_;
    shared_object<offer_counters> counters_;
};

}  // namespace sluice::files
