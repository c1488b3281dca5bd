// Implements memory_trimmer: malloc_trim(3) after clients have left.
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
// While clients come and go: between one and the next, and as a part of all time.
constexpr auto least_rest_time = 1min;
constexpr auto rest_share = 1'000;

// Of all threads. malloc_trim(3) goes through the memory of all of them, so the last one calls it.
std::atomic<unsigned> armed_trimmers;
// When the next one is due while clients come and go, on the clock of deadlines.
std::atomic<io::clock::rep> next_due;

/// True for one thread each time that it is due.
bool take_turn(io::time_point now) noexcept {
    auto due = next_due.load();
    return now.time_since_epoch().count() >= due &&
           next_due.compare_exchange_strong(due,
                                            (now + least_rest_time).time_since_epoch().count());
}

void trim() noexcept {
    const auto from = io::clock::now();
    ::malloc_trim(0);
    const auto until = io::clock::now();
    const auto rest = std::max<io::duration>(least_rest_time, (until - from) * rest_share);
    next_due = (until + rest).time_since_epoch().count();
}

}  // namespace

memory_trimmer::memory_trimmer(io::engine& engine, unsigned shares) noexcept
    : timer{[](timer& t) noexcept {
          static_cast<memory_trimmer&>(t).armed_ = false;
          coro::give_back_free_frames();
          if (--armed_trimmers == 0) trim();
      }},
      engine_{engine},
      least_burst_{std::max(least_burst / shares, least_rest)},
      least_{least_burst_} {}

memory_trimmer::~memory_trimmer() {
    engine_.timers().disarm(*this);
    if (armed_) --armed_trimmers;
}

void memory_trimmer::update(std::uint64_t clients) noexcept {
    if (clients < clients_) left_ += clients_ - clients;
    clients_ = clients;
    most_ = std::max(most_, clients);
    const bool burst_ended = most_ >= least_ && clients <= most_ / 4;
    if (burst_ended) {
        most_ = clients;
        least_ = clients < least_rest ? least_burst_ : least_rest;
    }
    if (armed_) return;
    if (!burst_ended && (left_ < least_burst_ || !take_turn(engine_.now()))) return;
    left_ = 0;
    armed_ = true;
    ++armed_trimmers;
    engine_.timers().arm(*this, io::after(io::clock::now(), delay));
}

}  // namespace sluice::model
