// Implements ticket_keys: three slots, of which the newest two open tickets.
#include "sluice/tls/ticket_keys.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/mman.h>

#include <utility>

#include "sluice/io/timer.hpp"

namespace sluice::tls {

/// A slot is written by one drawer at a time, and only when it is neither of the two in use. A
/// reader that was overtaken by two drawings, 12 hours apart, would read a key that opens nothing.
struct ticket_keys::shared {
    static constexpr std::uint64_t slots = 3;

    std::atomic<std::uint64_t> newest{0};   // drawings so far; the newest is in slot newest % slots
    std::atomic<std::int64_t> drawn_at{0};  // io::clock, nanoseconds
    std::atomic<std::int64_t> drawing_since{0};
    std::array<key, slots> keys{};
};

result<ticket_keys> ticket_keys::create() noexcept {
    auto memory = mapping::share_with_children(sizeof(shared));
    if (!memory) return failure(memory.error());
    new (memory->data()) shared;
    return ticket_keys{std::move(*memory)};
}

void ticket_keys::draw_if_due() noexcept {
    shared& s = state();
    const auto now = io::clock::now().time_since_epoch().count();
    const auto life = std::chrono::nanoseconds{lifetime}.count();
    const auto newest = s.newest.load(std::memory_order_acquire);
    if (newest != 0 && now - s.drawn_at.load(std::memory_order_relaxed) < life) return;
    // A child that ends while it draws holds the others up for a second.
    constexpr std::int64_t second = 1'000'000'000;
    auto since = s.drawing_since.load(std::memory_order_relaxed);
    if (since != 0 && now - since < second) return;
    if (!s.drawing_since.compare_exchange_strong(since, now, std::memory_order_acquire)) return;
    if (s.newest.load(std::memory_order_relaxed) == newest) {
        key& next = s.keys[(newest + 1) % shared::slots];
        key drawn{};
        if (RAND_bytes(reinterpret_cast<unsigned char*>(&drawn), sizeof drawn) == 1) {
            next = drawn;
            s.drawn_at.store(now, std::memory_order_relaxed);
            s.newest.store(newest + 1, std::memory_order_release);
        }
        OPENSSL_cleanse(&drawn, sizeof drawn);
    }
    s.drawing_since.store(0, std::memory_order_release);
}

std::optional<ticket_keys::key> ticket_keys::current() noexcept {
    draw_if_due();
    const shared& s = state();
    const auto newest = s.newest.load(std::memory_order_acquire);
    if (newest == 0) return std::nullopt;
    return s.keys[newest % shared::slots];
}

std::optional<ticket_keys::key> ticket_keys::find(const std::array<std::byte, 16>& name) noexcept {
    draw_if_due();
    const shared& s = state();
    const auto newest = s.newest.load(std::memory_order_acquire);
    for (auto each = newest; each > 0 && newest - each < 2; --each) {
        const key& known = s.keys[each % shared::slots];
        if (known.name == name) return known;
    }
    return std::nullopt;
}

}  // namespace sluice::tls
