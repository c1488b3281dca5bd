// What goes wrong while serving, told once a kind rather than once a client.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <functional>
#include <mutex>
#include <new>
#include <string_view>

#include "sluice/io/timer.hpp"

namespace sluice::model {

/// Takes a line for people, without its end. Any thread; must not throw. May be empty.
using complaints = std::function<void(std::string_view)>;

enum class trouble : std::uint8_t {
    shortage,   ///< no descriptor or memory for a client
    memory,     ///< no memory to go on serving one
    address,    ///< too many clients from one address
    thread,     ///< no thread
    process,    ///< no process
    crash,      ///< a child ended by a signal
    program,    ///< a program that works for us ended, or cannot be started
    last_kind,  ///< how many there are
};

/// Tells the first trouble of a kind at once. Those that follow are counted, and told with their
/// number when one comes after a minute. Any thread.
class troubles {
 public:
    explicit troubles(complaints to) : to_{std::move(to)} {}

    void tell(trouble kind, std::string_view what) noexcept;
    /// The same with a line that `make` makes; without the memory for it, a shorter one.
    template <std::invocable<> Make>
    void tell(trouble kind, Make&& make) noexcept {
        try {
            tell(kind, std::string_view{make()});
        } catch (const std::bad_alloc&) {
            tell(kind, no_memory_to_say);
        }
    }

 private:
    static constexpr std::string_view no_memory_to_say =
        "something went wrong, and there is no memory left to say what";

    struct record {
        io::time_point told = io::time_point::min();
        std::uint64_t since = 0;
    };

    complaints to_;
    std::mutex mutex_;
    std::array<record, static_cast<std::size_t>(trouble::last_kind)> records_;
};

}  // namespace sluice::model
