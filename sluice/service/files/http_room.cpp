// A short shelf a thread.
#include "sluice/service/files/http_room.hpp"

#include <vector>

namespace sluice::service::files {
namespace {

// Enough for those who are answered at the same time; a large transfer holds one, too.
constexpr std::size_t most_kept = 32;

thread_local std::vector<std::unique_ptr<http_room>> shelf;

}  // namespace

void room_keeper::operator()(http_room* room) const noexcept {
    std::unique_ptr<http_room> owned{room};
    if (shelf.size() < most_kept && shelf.capacity() >= most_kept) {
        shelf.push_back(std::move(owned));
    }
}

lent_room lend_room() {
    if (shelf.empty()) {
        shelf.reserve(most_kept);
        // Not cleared: that would touch every page of it.
        return lent_room{std::make_unique_for_overwrite<http_room>().release()};
    }
    lent_room found{shelf.back().release()};
    shelf.pop_back();
    return found;
}

}  // namespace sluice::service::files
