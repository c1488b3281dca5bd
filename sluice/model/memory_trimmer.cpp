// Implements memory_trimmer: malloc_trim(3) after the number of clients has fallen.
#include "sluice/model/memory_trimmer.hpp"

#include <malloc.h>

#include <algorithm>
#include <atomic>
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

// Of all threads. malloc_trim(3) goes through the memory of all of them, so the last one calls it.
std::atomic<unsigned> armed_trimmers;

}  // namespace

memory_trimmer::memory_trimmer(io::engine& engine, unsigned shares) noexcept
    : timer{[](timer& t) noexcept {
          static_cast<memory_trimmer&>(t).armed_ = false;
          coro::give_back_free_frames();
          if (--armed_trimmers == 0) ::malloc_trim(0);
      }},
      engine_{engine},
      least_burst_{std::max(least_burst / shares, least_rest)},
      least_{least_burst_} {}

memory_trimmer::~memory_trimmer() {
    engine_.timers().disarm(*this);
    if (armed_) --armed_trimmers;
}

void memory_trimmer::update(std::uint64_t clients) noexcept {
    most_ = std::max(most_, clients);
    if (most_ < least_ || clients > most_ / 4) return;
    most_ = clients;
    least_ = clients < least_rest ? least_burst_ : least_rest;
    if (armed_) return;
    armed_ = true;
    ++armed_trimmers;
    engine_.timers().arm(*this, io::after(io::clock::now(), delay));
}

}  // namespace sluice::model
