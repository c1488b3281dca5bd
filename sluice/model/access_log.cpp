// Implements the access log: ids, and the limit of events a second.
#include "sluice/model/access_log.hpp"

#include <chrono>
#include <string_view>
#include <utility>

#include "sluice/base/relaxed.hpp"
#include "sluice/model/session.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::model {
namespace {

// An id is the run of a server in 25 bits, which are five characters, and a number.
constexpr unsigned number_bits = 39;
constexpr std::uint64_t number_mask = (std::uint64_t{1} << number_bits) - 1;
constexpr unsigned bits_per_character = 5;
// Without `i`, `l`, `o` and `u`, which are taken for others.
constexpr std::string_view alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

// Numbers that a thread takes from those of all at a time.
constexpr std::uint64_t block = 256;

struct numbers_of_thread {
    const access_log* owner = nullptr;
    std::uint64_t next = 0;
    std::uint64_t end = 0;
};

}  // namespace

event_id_text::event_id_text(event_id of) noexcept {
    if (!of) return;
    const auto add = [this](std::uint64_t bits) {
        text_[size_++] = alphabet[bits % alphabet.size()];
    };
    const std::uint64_t run = of.value >> number_bits;
    for (unsigned shift = 20;; shift -= bits_per_character) {
        add(run >> shift);
        if (shift == 0) break;
    }
    text_[size_++] = '-';
    const std::uint64_t number = of.value & number_mask;
    unsigned shift = 0;
    while ((number >> shift) >= alphabet.size()) shift += bits_per_character;
    for (;; shift -= bits_per_character) {
        add(number >> shift);
        if (shift == 0) break;
    }
}

access_log::access_log(options o) noexcept : options_{o}, run_{os::sys().random() << number_bits} {}

event_id access_log::next_id() noexcept {
    static thread_local numbers_of_thread own;
    if (own.owner != this || own.next == own.end) {
        // A forked process would go on with the numbers of its parent.
        const std::uint64_t count = options_.forks ? 1 : block;
        own.owner = this;
        own.next = shared_->next_number.fetch_add(count, relaxed);
        own.end = own.next + count;
    }
    return {run_ | (own.next++ & number_mask)};
}

bool access_log::admits(access_kind kind, io::time_point now) noexcept {
    auto& counted = shared_->counted;
    const std::uint32_t most = options_.most_per_second;
    if (most > 0) {
        auto& window = shared_->windows[static_cast<std::size_t>(kind)];
        const std::int64_t second =
            std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
        // A thread whose clock lags does not open an earlier second again.
        if (auto seen = window.second.load(relaxed);
            second > seen && window.second.compare_exchange_strong(seen, second, relaxed)) {
            window.count.store(0, relaxed);
        }
        if (window.count.load(relaxed) >= most || window.count.fetch_add(1, relaxed) >= most) {
            counted.limited.fetch_add(1, relaxed);
            return false;
        }
    }
    counted.written.fetch_add(1, relaxed);
    return true;
}

void access_log::record(access_event e) noexcept {
    if (!admits(e.kind, io::clock::now())) return;
    if (!e.id) e.id = next_id();
    write(e);
}

access_span::access_span(access_log* to, const net::address& client) noexcept
    : log_{to},
      id_{to == nullptr ? event_id{} : to->next_id()},
      begun_{to == nullptr ? io::time_point{} : io::clock::now()},
      client_{client} {}

access_span::access_span(access_log* to, const session& client) noexcept
    : access_span{to, to == nullptr ? net::address{} : client.address().value_or(net::address{})} {}

void access_span::end(const access_event& e) const noexcept {
    end_as(e.kind, [&e] { return e; });
}

void access_span::end(access_event e, const session& client) const noexcept {
    e.user = client.account();
    end(e);
}

}  // namespace sluice::model
