// Implements bans: a short table that is searched from end to end.
#include "sluice/chat/server/bans.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace sluice::chat {

void bans::add(entry e, time_point now) {
    const std::lock_guard lock{mutex_};
    forget_past(now);
    std::erase_if(entries_, [&e](const entry& each) { return each.what == e.what; });
    if (entries_.size() >= most) entries_.erase(entries_.begin());
    entries_.insert(std::ranges::upper_bound(entries_, e.until, {}, &entry::until), std::move(e));
}

bool bans::lift(std::string_view what, time_point now) {
    const std::lock_guard lock{mutex_};
    forget_past(now);
    return std::erase_if(entries_, [what](const entry& each) { return each.what == what; }) > 0;
}

std::optional<bans::time_point> bans::of(const net::client_network& network,
                                         std::string_view account, time_point now) {
    const std::lock_guard lock{mutex_};
    forget_past(now);
    std::optional<time_point> until;
    for (const entry& each : entries_) {
        const bool meant =
            each.network ? *each.network == network : !account.empty() && each.what == account;
        if (meant) until = each.until;
    }
    return until;
}

std::vector<bans::entry> bans::all(std::size_t most_shown, time_point now) {
    const std::lock_guard lock{mutex_};
    forget_past(now);
    return {entries_.begin(),
            entries_.begin() + static_cast<std::ptrdiff_t>(std::min(most_shown, entries_.size()))};
}

void bans::forget_past(time_point now) noexcept {
    const auto past =
        std::ranges::find_if(entries_, [now](const entry& each) { return each.until > now; });
    entries_.erase(entries_.begin(), past);
}

}  // namespace sluice::chat
