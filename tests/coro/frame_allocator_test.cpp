// Frames are kept for the next of their size, by the thread that frees them, within bounds.
#include "sluice/coro/frame_allocator.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "sluice/base/sanitizer.hpp"

namespace sluice::test {
namespace {

TEST(frame_allocator, gives_memory_for_any_object) {
    std::vector<std::pair<void*, std::size_t>> frames;
    for (std::size_t size = 1; size < 3000; size += 7) {
        void* frame = coro::allocate_frame(size);
        ASSERT_NE(frame, nullptr);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(frame) % alignof(std::max_align_t), 0U);
        std::memset(frame, 0xab, size);
        frames.emplace_back(frame, size);
    }
    for (auto [frame, size] : frames) coro::free_frame(frame, size);
}

TEST(frame_allocator, gives_a_frame_again) {
    if (address_sanitizer) GTEST_SKIP() << "frames are not kept under the address sanitizer";
    void* first = coro::allocate_frame(200);
    coro::free_frame(first, 200);
    void* second = coro::allocate_frame(200);
    EXPECT_EQ(second, first);
    coro::free_frame(second, 200);
}

TEST(frame_allocator, never_gives_one_that_is_too_small) {
    for (std::size_t size = 1; size < 1200; ++size) {
        void* small = coro::allocate_frame(size);
        coro::free_frame(small, size);
        void* larger = coro::allocate_frame(size + 1);
        std::memset(larger, 0xcd, size + 1);
        coro::free_frame(larger, size + 1);
    }
}

TEST(frame_allocator, takes_frames_from_other_threads) {
    std::vector<void*> frames;
    for (int i = 0; i < 200; ++i) frames.push_back(coro::allocate_frame(300));
    std::thread other{[&] {
        for (void* frame : frames) coro::free_frame(frame, 300);
        void* one = coro::allocate_frame(300);
        std::memset(one, 1, 300);
        coro::free_frame(one, 300);
    }};
    other.join();
}

TEST(frame_allocator, gives_back_what_lies_free_when_asked) {
    if (address_sanitizer || thread_sanitizer) GTEST_SKIP() << "what is free is not told";
    // More than malloc itself keeps for the thread.
    std::vector<void*> frames;
    for (int i = 0; i < 60; ++i) frames.push_back(coro::allocate_frame(808));
    for (void* frame : frames) coro::free_frame(frame, 808);
    const auto before = ::mallinfo2().uordblks;
    coro::give_back_free_frames();
    EXPECT_LT(::mallinfo2().uordblks, before - (40 * 808));
}

TEST(frame_allocator, another_thread_gives_back_when_it_frees_one) {
    if (address_sanitizer || thread_sanitizer) GTEST_SKIP() << "what is free is not told";
    std::vector<void*> frames;
    for (int i = 0; i < 60; ++i) frames.push_back(coro::allocate_frame(808));
    void* last = coro::allocate_frame(808);
    for (void* frame : frames) coro::free_frame(frame, 808);
    const auto before = ::mallinfo2().uordblks;
    std::thread{[] { coro::give_back_free_frames(); }}.join();
    coro::free_frame(last, 808);
    EXPECT_LT(::mallinfo2().uordblks, before - (40 * 808));
}

}  // namespace
}  // namespace sluice::test
