// Implements the frame allocator: bounded free lists per thread and size class.
#include "sluice/coro/frame_allocator.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <new>

#include "sluice/base/sanitizer.hpp"

namespace sluice::coro {
namespace {

// malloc's own chunk sizes (16 k + 8), so that rounding wastes none of the memory.
constexpr std::size_t granule = 16;
constexpr std::size_t offset = 8;
constexpr std::size_t classes = 64;  // up to 1 KiB; larger frames are rare and long-lived
constexpr std::uint32_t frames_per_class = 64;  // enough for a burst, small beside one buffer pool

struct free_frame_node {
    free_frame_node* next;
};

class frame_store {
 public:
    frame_store() noexcept = default;
    frame_store(const frame_store&) = delete;
    frame_store& operator=(const frame_store&) = delete;
    ~frame_store() { empty(); }

    void* take(std::size_t index) noexcept { return classes_[index].pop(); }
    bool put(std::size_t index, void* frame) noexcept { return classes_[index].push(frame); }

    void empty() noexcept {
        for (auto& c : classes_) {
            while (void* frame = c.pop()) ::operator delete(frame);
        }
    }

 private:
    struct size_class {
        free_frame_node* first = nullptr;
        std::uint32_t count = 0;

        void* pop() noexcept {
            if (first == nullptr) return nullptr;
            free_frame_node* node = first;
            first = node->next;
            --count;
            return node;
        }
        bool push(void* frame) noexcept {
            if (count == frames_per_class) return false;
            // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): the node is made in the frame
            first = ::new (frame) free_frame_node{first};
            ++count;
            return true;
        }
    };

    std::array<size_class, classes> classes_{};
};

std::atomic<bool> keeps_free_frames = true;

thread_local frame_store store;

// A recycled frame would hide a use after free from AddressSanitizer.
constexpr bool recycle = !address_sanitizer;

std::size_t class_of(std::size_t size) noexcept {
    return (size + granule - 1 - offset) / granule;
}

}  // namespace

void* allocate_frame(std::size_t size) noexcept {
    const std::size_t index = class_of(size);
    if (recycle && index < classes) {
        if (void* frame = store.take(index)) return frame;
    }
    return ::operator new((index * granule) + offset, std::nothrow);
}

void free_frame(void* frame, std::size_t size) noexcept {
    const std::size_t index = class_of(size);
    if (recycle && index < classes) {
        if (!keeps_free_frames.load(std::memory_order_relaxed)) {
            store.empty();
        } else if (store.put(index, frame)) {
            return;
        }
    }
    ::operator delete(frame);
}

void keep_free_frames(bool keep) noexcept {
    keeps_free_frames.store(keep, std::memory_order_relaxed);
    if (!keep) store.empty();
}

}  // namespace sluice::coro
