// Implements batch and relay: posting batches to the engines of other shards.
#include "sluice/chat/server/relay.hpp"

#include <algorithm>

#include "sluice/chat/server/hub.hpp"
#include "sluice/io/engine.hpp"

namespace sluice::chat {

batch::batch(relay& r, std::size_t from_shard, std::size_t to_shard, purpose p,
             std::string room_name)
    : message{[](io::message& l) noexcept {
          std::unique_ptr<batch> self{static_cast<batch*>(&l)};
          relay& sender = self->owner;
          hub& target = *sender.hubs_[self->to];
          // Out of memory: delivers it again.
          if (!target.receive(*self)) return target.engine().post(*self.release());
          sender.in_flight_.fetch_sub(self->cost, std::memory_order_relaxed);
      }},
      owner{r},
      from{from_shard},
      to{to_shard},
      kind{p},
      room{std::move(room_name)} {}

void batch::add(author said_by, std::initializer_list<std::string_view> pieces) {
    std::size_t length = 0;
    for (const auto piece : pieces) length += piece.size();
    const std::size_t whole = bytes.size() + length;
    if (whole > bytes.capacity()) bytes.reserve(std::max(whole, 2 * bytes.capacity()));
    if (!stretches.empty() && stretches.back().first == said_by) {
        stretches.back().second += length;
    } else {
        stretches.emplace_back(said_by, length);
    }
    for (const auto piece : pieces) bytes.append(piece);
}

void relay::post(std::unique_ptr<batch> b) noexcept {
    b->cost = sizeof(batch) + b->bytes.size();
    in_flight_.fetch_add(b->cost, std::memory_order_relaxed);
    io::engine& target = hubs_[b->to]->engine();
    target.post(*b.release());
}

}  // namespace sluice::chat
