// How fast one member may speak.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/io/timer.hpp"
#include "sluice/service/chat/limits.hpp"

namespace sluice::service::chat {

/// Room for so many messages at once, refilled with time.
class throttle {
 public:
    throttle(const limits& l, io::time_point now) noexcept : tokens_{l.burst}, last_{now} {}

    /// Takes room for one message; otherwise gives how long it is until there is some.
    [[nodiscard]] io::duration take(const limits& l, io::time_point now) noexcept {
        using seconds = std::chrono::duration<double>;
        tokens_ = std::min(l.burst, tokens_ + (seconds{now - last_}.count() * l.rate));
        last_ = now;
        if (tokens_ >= 1) {
            tokens_ -= 1;
            return {};
        }
        return std::chrono::ceil<io::duration>(seconds{(1 - tokens_) / l.rate});
    }

    /// What was let through counted for more than one.
    void charge(std::size_t more) noexcept { tokens_ -= static_cast<double>(more); }

    /// What was read and not yet said: a buffer of the pool would be missed elsewhere.
    std::string held;
    /// The message in it that has to wait.
    std::optional<std::string_view> waiting;

 private:
    double tokens_;
    io::time_point last_;
};

}  // namespace sluice::service::chat
