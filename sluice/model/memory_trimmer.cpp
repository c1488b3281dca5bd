// Implements memory_trimmer: malloc_trim(3) after the number of clients has fallen.
#include "sluice/model/memory_trimmer.hpp"

#include <malloc.h>

#include <chrono>

#include "sluice/coro/frame_allocator.hpp"

namespace sluice::model {
namespace {

using namespace std::chrono_literals;

// A smaller burst leaves too little memory behind, unless it is the rest of a larger one, whose
// clients lie scattered over its pages.
constexpr std::uint64_t least_burst = 256;
constexpr std::uint64_t least_rest = 8;
constexpr auto delay = 1s;

}  // namespace

memory_trimmer::memory_trimmer(io::engine& engine) noexcept
    : message{[](message& m) noexcept {
          auto& self = static_cast<memory_trimmer&>(m);
          self.posted_ = false;
          self.arm();
      }},
      timer{[](timer& t) noexcept { static_cast<memory_trimmer&>(t).trim(); }},
      engine_{engine} {}

memory_trimmer::~memory_trimmer() {
    while (posted_) engine_.run_once(io::time_point::min());
    engine_.timers().disarm(*this);
    coro::keep_free_frames(true);
}

void memory_trimmer::update(std::uint64_t clients) noexcept {
    clients_.store(clients, std::memory_order_relaxed);
    auto most = most_.load(std::memory_order_relaxed);
    while (clients > most) {
        if (most_.compare_exchange_weak(most, clients, std::memory_order_relaxed)) return;
    }
    if (most < least_ || clients > most / 4) return;
    if (!most_.compare_exchange_strong(most, clients, std::memory_order_relaxed)) return;
    least_ = clients < least_rest ? least_burst : least_rest;
    coro::keep_free_frames(false);
    if (!posted_.exchange(true)) engine_.post(*this);
}

void memory_trimmer::arm() noexcept {
    if (armed_) return;
    armed_ = true;
    engine_.timers().arm(*this, io::after(io::clock::now(), delay));
}

void memory_trimmer::trim() noexcept {
    armed_ = false;
    coro::keep_free_frames(true);
    ::malloc_trim(0);
}

}  // namespace sluice::model
