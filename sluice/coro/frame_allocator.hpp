// Memory of coroutine frames, kept by the thread for the next frame of the same size.
#pragma once

#include <cstddef>

namespace sluice::coro {

/// Memory for a frame of `size` bytes, or nullptr. Once a thread has run a kind of coroutine, the
/// next of that kind costs no call of the allocator. Any thread.
[[nodiscard]] void* allocate_frame(std::size_t size) noexcept;

/// Gives back what allocate_frame gave, with the same size. Any thread: the memory joins the store
/// of the thread that frees it, which is bounded.
void free_frame(void* frame, std::size_t size) noexcept;

/// Empties the store of this thread, and that of each other thread when it next frees a frame: a
/// few small frames keep whole pages from malloc_trim(3). Any thread.
void give_back_free_frames() noexcept;

}  // namespace sluice::coro
