// Implements event_log: one report per kind of event and minute.
#include "sluice/model/event_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <new>
#include <utility>

namespace sluice::model {
namespace {

constexpr auto report_interval = std::chrono::minutes{1};

}  // namespace

bool event_log::admits_detail() noexcept {
    const auto now = io::clock::now();
    std::uint32_t left_out = 0;
    {
        const std::lock_guard lock{mutex_};
        if (now >= details_until_) {
            details_until_ = now + std::chrono::seconds{1};
            const auto asked = std::exchange(details_told_, 0);
            left_out = asked - std::min(asked, most_details);
        }
        if (++details_told_ > most_details) return false;
    }
    if (left_out == 0) return true;
    try {
        details_.to(level::debug, fmt::format("{} details were left out", left_out));
    } catch (const std::bad_alloc&) {
        return true;  // they are left out unsaid
    }
    return true;
}

void event_log::report(event_kind kind, std::string_view what) noexcept {
    if (!to_) return;
    const auto now = io::clock::now();
    std::uint64_t suppressed = 0;
    bool is_due = false;
    {
        const std::lock_guard lock{mutex_};
        record& r = records_[static_cast<std::size_t>(kind)];
        if (r.last_reported != io::time_point::min() && now - r.last_reported < report_interval) {
            ++r.suppressed;
        } else {
            r.last_reported = now;
            suppressed = std::exchange(r.suppressed, 0);
            is_due = true;
        }
    }
    if (!is_due) return detail(level::debug, [what] { return what; });
    if (suppressed == 0) return to_(what);
    try {
        to_(fmt::format("{} (and {} times more since this was last said)", what, suppressed));
    } catch (const std::bad_alloc&) {
        to_(what);
    }
}

}  // namespace sluice::model
