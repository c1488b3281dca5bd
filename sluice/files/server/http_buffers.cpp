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

thread_local std::array<std::unique_ptr<http_buffers>, max_free> free_list;
thread_local std::size_t free_count = 0;

}  // namespace

void free_list_deleter::operator()(http_buffers* buffers) const noexcept {
    buffers->visitor.reset();
    std::unique_ptr<http_buffers> owned{buffers};
    if (free_count < max_free) free_list[free_count++] = std::move(owned);
}

leased_buffers lease_buffers() noexcept {
    // Not cleared: that would touch every page.
    if (free_count == 0) return leased_buffers{new (std::nothrow) http_buffers};
    return leased_buffers{free_list[--free_count].release()};
}

}  // namespace sluice::files
