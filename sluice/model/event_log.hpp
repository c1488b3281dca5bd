// Event log of a server: failures, reported once per kind rather than once per client; details.
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

/// Receives what a server tells of each connection, for who looks for a fault. Any thread; must not
/// throw. Either both are empty or none is.
struct detail_sink {
    enum class level : std::uint8_t {
        trace,  ///< which way a connection takes through the server
        debug,  ///< connections that come and go, and why some do not get far
    };
    /// Whether it is to be told now: costs no more than a load.
    std::function<bool(level)> wanted = {};
    std::function<void(level, std::string_view)> to = {};
};

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
/// number by the first that comes after a minute; meanwhile they are details. Of these, at most a
/// thousand a second are told. Any thread.
class event_log {
 public:
    using level = detail_sink::level;
    static constexpr std::uint32_t most_details = 1000;  ///< a second

    explicit event_log(log_sink to, detail_sink details = {})
        : to_{std::move(to)}, details_{std::move(details)} {}

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

    /// Tells a detail, a line that `make` returns, where one is wanted.
    template <std::invocable<> Make>
    void detail(level which, Make&& make) noexcept {
        if (!details_.wanted || !details_.wanted(which) || !admits_detail()) return;
        try {
            details_.to(which, std::string_view{make()});
        } catch (const std::bad_alloc&) {
            details_.to(which, no_memory_to_say);
        }
    }

 private:
    [[nodiscard]] bool admits_detail() noexcept;

    static constexpr std::string_view no_memory_to_say =
        "something went wrong, and there is no memory left to say what";

    struct record {
        io::time_point last_reported = io::time_point::min();
        std::uint64_t suppressed = 0;
    };

    log_sink to_;
    detail_sink details_;
    os::mutex mutex_;
    io::time_point details_until_ = io::time_point::min();
    std::uint32_t details_told_ = 0;
    std::array<record, static_cast<std::size_t>(event_kind::last_kind)> records_;
};

}  // namespace sluice::model
