// Remembers when each kind was told last.
#include "sluice/model/troubles.hpp"

#include <fmt/format.h>

#include <chrono>
#include <new>
#include <utility>

namespace sluice::model {
namespace {

constexpr auto quiet_time = std::chrono::minutes{1};

}  // namespace

void troubles::tell(trouble kind, std::string_view what) noexcept {
    if (!to_) return;
    const auto now = io::clock::now();
    std::uint64_t untold = 0;
    {
        const std::lock_guard lock{mutex_};
        record& r = records_[static_cast<std::size_t>(kind)];
        if (r.told != io::time_point::min() && now - r.told < quiet_time) {
            ++r.since;
            return;
        }
        r.told = now;
        untold = std::exchange(r.since, 0);
    }
    if (untold == 0) return to_(what);
    try {
        to_(fmt::format("{} (and {} times more since this was last said)", what, untold));
    } catch (const std::bad_alloc&) {
        to_(what);
    }
}

}  // namespace sluice::model
