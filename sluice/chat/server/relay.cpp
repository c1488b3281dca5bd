// Posts letters to engines, and opens them on the other side.
#include "sluice/chat/server/relay.hpp"

#include <algorithm>

#include "sluice/chat/server/hub.hpp"
#include "sluice/io/engine.hpp"

namespace sluice::chat {

batch::batch(relay& r, std::size_t from_shard, std::size_t to_shard, purpose p,
             std::string room_name)
    : letter{[](io::letter& l) noexcept {
          std::unique_ptr<batch> self{static_cast<batch*>(&l)};
          relay& post = self->owner;
          hub& there = *post.hubs_[self->to];
          // Without memory for it, it comes once more.
          if (!there.take(*self)) return there.home().post(*self.release());
          post.under_way_.fetch_sub(self->weight, std::memory_order_relaxed);
      }},
      owner{r},
      from{from_shard},
      to{to_shard},
      why{p},
      room{std::move(room_name)} {}

void batch::add(author by, std::initializer_list<std::string_view> pieces) {
    std::size_t length = 0;
    for (const auto piece : pieces) length += piece.size();
    const std::size_t whole = bytes.size() + length;
    if (whole > bytes.capacity()) bytes.reserve(std::max(whole, 2 * bytes.capacity()));
    if (!stretches.empty() && stretches.back().first == by) {
        stretches.back().second += length;
    } else {
        stretches.emplace_back(by, length);
    }
    for (const auto piece : pieces) bytes.append(piece);
}

void relay::post(std::unique_ptr<batch> b) noexcept {
    b->weight = sizeof(batch) + b->bytes.size();
    under_way_.fetch_add(b->weight, std::memory_order_relaxed);
    io::engine& there = hubs_[b->to]->home();
    there.post(*b.release());
}

}  // namespace sluice::chat
