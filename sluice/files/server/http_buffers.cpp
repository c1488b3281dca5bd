// Implements the free list of HTTP buffers, one per thread.
#include "sluice/files/server/http_buffers.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "sluice/os/mapping.hpp"

namespace sluice::files {
namespace {

// One megabyte. A request holds a lease for the part of a turn that it takes, and longer only while
// it waits for the disk or moves a large file.
constexpr std::size_t max_free = 8;

struct unmapping_deleter {
    void operator()(http_buffers* buffers) const noexcept {
        const mapping memory = std::move(buffers->memory);
        std::destroy_at(buffers);
    }
};

thread_local std::array<std::unique_ptr<http_buffers, unmapping_deleter>, max_free> free_list;
thread_local std::size_t free_count = 0;

}  // namespace

void free_list_deleter::operator()(http_buffers* buffers) const noexcept {
    buffers->visitor.reset();
    std::unique_ptr<http_buffers, unmapping_deleter> owned{buffers};
    if (free_count < max_free) free_list[free_count++] = std::move(owned);
}

leased_buffers lease_buffers() noexcept {
    if (free_count > 0) return leased_buffers{free_list[--free_count].release()};
    auto memory = mapping::create(sizeof(http_buffers));
    if (!memory) return nullptr;
    // Not cleared: that would touch every page.
    // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): it is made in the mapping, which it owns
    leased_buffers made{::new (memory->data()) http_buffers};
    made->memory = std::move(*memory);
    return made;
}

}  // namespace sluice::files
