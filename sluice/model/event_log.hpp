// Event log of a server: failures, reported once per kind rather than once per client.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <functional>
#include <new>
#include <string_view>

#include "sluice/io/timer.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::model {

/// Receives a line of text, without its end. Any thread; must not throw. May be empty.
using log_sink = std::function<void(std::string_view)>;

enum class event_kind : std::uint8_t {
    shortage,   ///< no descriptor or memory for a client
    memory,     ///< no memory to continue serving a client
    address,    ///< too many clients from one address
    proxy,      ///< a trusted proxy's header is of no use
    thread,     ///< no thread
    process,    ///< no process
    crash,      ///< a child ended by a signal or an error
    program,    ///< a worker program ended, or cannot be started
    last_kind,  ///< the number of kinds
};

/// Reports the first event of a kind at once. Later ones are counted, and reported with their
/// number by the first that comes after a minute. Any thread.
class event_log {
 public:
    explicit event_log(log_sink to) : to_{std::move(to)} {}

    void report(event_kind kind, std::string_view what) noexcept;
    /// The same with a line that `make` returns; without the memory for it, a shorter one.
    template <std::invocable<> Make>
    void report(event_kind kind, Make&& make) noexcept {
        try {
            report(kind, std::string_view{make()});
        } catch (const std::bad_alloc&) {
            report(kind, no_memory_to_say);
        }
    }

 private:
    static constexpr std::string_view no_memory_to_say =
        "something went wrong, and there is no memory left to say what";

    struct record {
        io::time_point last_reported = io::time_point::min();
        std::uint64_t suppressed = 0;
    };

    log_sink to_;
    os::mutex mutex_;
    std::array<record, static_cast<std::size_t>(event_kind::last_kind)> records_;
};

}  // namespace sluice::model
