// Implements the heads of HTTP responses: text, numbers, status lines, dates.
#include "sluice/files/server/reply_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string>

#include "sluice/http/date.hpp"

namespace sluice::files {

reply_text& reply_text::add(std::string_view text) noexcept {
    outgrown_ = outgrown_ || text.size() > left();
    if (outgrown_) return *this;
    std::ranges::copy(text, buffer_.data() + used_);
    used_ += text.size();
    return *this;
}

reply_text& reply_text::add(std::uint64_t number) noexcept {
    std::array<char, 20> digits{};
    const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return add({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

reply_text& reply_text::add_hex(std::uint64_t number) noexcept {
    std::array<char, 16> digits{};
    const char* const end =
        std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
    return add({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

std::string_view remembered_date(std::chrono::sys_seconds when) {
    struct cached_date {
        std::chrono::sys_seconds when = std::chrono::sys_seconds::min();
        std::string text;
    };
    constexpr std::size_t slots = 64;
    static thread_local std::array<cached_date, slots> cache;
    auto& entry = cache[static_cast<std::size_t>(when.time_since_epoch().count()) % slots];
    if (entry.when != when) {
        entry.when = when;
        entry.text = http::format_http_date(when);
    }
    return entry.text;
}

}  // namespace sluice::files
