// Implements the free list of HTTP buffers, one per thread.
#include "sluice/files/server/http_buffers.hpp"

#include <array>
#include <cstddef>
#include <new>
#include <utility>

namespace sluice::files {
namespace {

// One megabyte. A request holds a lease for the part of a turn that it takes, and longer only while
// it waits for the disk or moves a large file.
constexpr std::size_t max_free = 8;

thread_local std::array<std::unique_ptr<http_room>, max_free> free_list;
thread_local std::size_t free_count = 0;

}  // namespace

void free_list_deleter::operator()(http_room* buffers) const noexcept {
    std::unique_ptr<http_room> owned{buffers};
    if (free_count < max_free) free_list[free_count++] = std::move(owned);
}

lent_room lend_room() noexcept {
    // Not cleared: that would touch every page.
    if (free_count == 0) return lent_room{new (std::nothrow) http_room};
    return lent_room{free_list[--free_count].release()};
}

}  // namespace sluice::files
