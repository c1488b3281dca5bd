// Allocator of coroutine frames with a free list per thread and size.
#pragma once

#include <cstddef>

namespace sluice::coro {

/// Memory for a frame of `size` bytes, or nullptr. Takes a free frame of the calling thread if
/// there is one, without a call of operator new. Any thread.
[[nodiscard]] void* allocate_frame(std::size_t size) noexcept;

/// Frees memory of allocate_frame() of the same size. Any thread: the memory joins the free lists
/// of the calling thread, which are bounded.
void free_frame(void* frame, std::size_t size) noexcept;

/// Empties the free lists of this thread, and those of each other thread when it next frees a
/// frame: a few small frames keep whole pages from malloc_trim(3). Any thread.
void give_back_free_frames() noexcept;

}  // namespace sluice::coro
