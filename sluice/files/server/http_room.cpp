// A short shelf a thread.
#include "sluice/files/server/http_room.hpp"

#include <array>
#include <cstddef>
#include <new>
#include <utility>

namespace sluice::files {
namespace {

// Enough for those who are answered at the same time; a large transfer holds one, too.
constexpr std::size_t most_kept = 32;

thread_local std::array<std::unique_ptr<http_room>, most_kept> shelf;
thread_local std::size_t kept = 0;

}  // namespace

void room_keeper::operator()(http_room* room) const noexcept {
    std::unique_ptr<http_room> owned{room};
    if (kept < most_kept) shelf[kept++] = std::move(owned);
}

lent_room lend_room() noexcept {
    // Not cleared: that would touch every page of it.
    if (kept == 0) return lent_room{new (std::nothrow) http_room};
    return lent_room{shelf[--kept].release()};
}

}  // namespace sluice::files
