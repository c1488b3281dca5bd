// Implements send_costs and send_turn: CPU time per turn, and the choice of the next strategy.
#include "sluice/transfer/send_choice.hpp"

#include <array>
#include <chrono>

#include "sluice/base/relaxed.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/shared_object.hpp"

namespace sluice::transfer {
namespace {

// Bytes per turn: so many that other work of the thread at its ends does not count.
constexpr std::uint64_t turn_bytes = std::uint64_t{32} << 20;
// A longer turn is dropped.
constexpr auto longest_turn = std::chrono::seconds{2};
// Bytes measured of each candidate before one is chosen.
constexpr std::uint64_t least_measured = 3 * turn_bytes;
// Beyond so many bytes the totals are halved, so that old turns count less.
constexpr std::uint64_t most_measured = std::uint64_t{2} << 30;
// Turns between two of candidates that are not chosen.
constexpr std::uint32_t turns_between_looks = 48;
// A candidate replaces the best one if it costs less than this part of it.
constexpr double clearly = 0.985;

}  // namespace

double send_costs::per_byte(std::size_t index) const noexcept {
    const auto bytes = costs_[index].bytes.load(relaxed);
    if (bytes == 0) return 0;
    return static_cast<double>(costs_[index].cpu_ns.load(relaxed)) / static_cast<double>(bytes);
}

std::size_t send_costs::cheapest() const noexcept {
    std::size_t best = best_.load(relaxed);
    for (std::size_t i = 0; i < costs_.size(); ++i) {
        if (per_byte(i) < clearly * per_byte(best)) best = i;
    }
    return best;
}

std::size_t send_costs::next_turn() noexcept {
    std::size_t least = 0;
    for (std::size_t i = 1; i < costs_.size(); ++i) {
        if (costs_[i].bytes.load(relaxed) < costs_[least].bytes.load(relaxed)) least = i;
    }
    if (costs_[least].bytes.load(relaxed) < least_measured) return least;
    const std::size_t best = cheapest();
    best_.store(static_cast<std::uint32_t>(best), relaxed);
    const auto turn = turns_.fetch_add(1, relaxed);
    if (turn % turns_between_looks != turns_between_looks - 1) return best;
    return (best + 1 + turn / turns_between_looks % (costs_.size() - 1)) % costs_.size();
}

void send_costs::add(std::size_t index, std::uint64_t bytes, std::uint64_t cpu_ns) noexcept {
    auto& cost = costs_[index];
    const auto sum = cost.bytes.fetch_add(bytes, relaxed) + bytes;
    const auto spent = cost.cpu_ns.fetch_add(cpu_ns, relaxed) + cpu_ns;
    if (sum < most_measured) return;
    cost.bytes.store(sum / 2, relaxed);
    cost.cpu_ns.store(spent / 2, relaxed);
}

std::array<send_costs::row, send_candidates.size()> send_costs::rows() const noexcept {
    std::array<row, send_candidates.size()> all{};
    const std::size_t best = cheapest();
    for (std::size_t i = 0; i < all.size(); ++i) {
        constexpr double us_per_gibibyte = 1024.0 * 1024 * 1024 / 1000;
        all[i] = {.how = send_candidates[i],
                  .mebibytes = costs_[i].bytes.load(relaxed) >> 20U,
                  .us_per_gibibyte = static_cast<std::uint64_t>(per_byte(i) * us_per_gibibyte),
                  .chosen = i == best};
    }
    return all;
}

send_costs& send_costs_of(peer_kind kind) noexcept {
    static const shared_if_possible<std::array<send_costs, 2>> all;
    return (*all)[static_cast<std::size_t>(kind)];
}

send_turn& send_turn_of_thread(peer_kind kind) noexcept {
    static thread_local std::array turns{send_turn{peer_kind::loopback},
                                         send_turn{peer_kind::network}};
    return turns[static_cast<std::size_t>(kind)];
}

to_socket send_turn::now() noexcept {
    if (!has_turn_) {
        index_ = costs_.next_turn();
        bytes_ = 0;
        begun_ = io::clock::now();
        cpu_at_begin_ = os::sys().thread_cpu_ns();
        has_turn_ = true;
    }
    return send_candidates[index_];
}

void send_turn::add(std::uint64_t bytes) noexcept {
    bytes_ += bytes;
    if (!has_turn_ || bytes_ < turn_bytes) return;
    has_turn_ = false;
    // In a slow turn, other work of the thread would count as the transfers'.
    if (io::clock::now() - begun_ > longest_turn) return;
    const auto cpu_ns = os::sys().thread_cpu_ns() - cpu_at_begin_;
    costs_.add(index_, bytes_, static_cast<std::uint64_t>(cpu_ns));
}

}  // namespace sluice::transfer
