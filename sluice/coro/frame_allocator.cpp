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

    /// Empties the store once per request number.
    void apply_request(std::uint32_t request) noexcept {
        if (request == applied_request_) return;
        applied_request_ = request;
        empty();
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
    void empty() noexcept {
        for (auto& c : classes_) {
            while (void* frame = c.pop()) ::operator delete(frame);
        }
    }

    std::array<size_class, classes> classes_{};
    std::uint32_t applied_request_ = 0;
};

std::atomic<std::uint32_t> release_requests;  // calls of give_back_free_frames()

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
        store.apply_request(release_requests.load(std::memory_order_relaxed));
        if (store.put(index, frame)) return;
    }
    ::operator delete(frame);
}

void give_back_free_frames() noexcept {
    store.apply_request(release_requests.fetch_add(1, std::memory_order_relaxed) + 1);
}

}  // namespace sluice::coro
