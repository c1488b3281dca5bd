// Implements event_log: one report per kind of event and minute.
#include "sluice/model/event_log.hpp"

#include <fmt/format.h>

#include <chrono>
#include <mutex>
#include <new>
#include <utility>

namespace sluice::model {
namespace {

constexpr auto report_interval = std::chrono::minutes{1};

}  // namespace

void event_log::report(event_kind kind, std::string_view what) noexcept {
    if (!to_) return;
    const auto now = io::clock::now();
    std::uint64_t suppressed = 0;
    {
        const std::lock_guard lock{mutex_};
        record& r = records_[static_cast<std::size_t>(kind)];
        if (r.last_reported != io::time_point::min() && now - r.last_reported < report_interval) {
            ++r.suppressed;
            return;
        }
        r.last_reported = now;
        suppressed = std::exchange(r.suppressed, 0);
    }
    if (suppressed == 0) return to_(what);
    try {
        to_(fmt::format("{} (and {} times more since this was last said)", what, suppressed));
    } catch (const std::bad_alloc&) {
        to_(what);
    }
}

}  // namespace sluice::model
