// Implements room: appends to the log, delivers to members, skips or disconnects slow ones.
#include "sluice/chat/server/room.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "sluice/base/planted_bug.hpp"
#include "sluice/base/sometimes.hpp"
#include "sluice/chat/server/relay.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::chat {

room::room(std::string name, std::size_t home_shard, member_host& host) noexcept
    : links{.home_shard = home_shard, .copies = {}, .unsubscribe_message = {}},
      name_{std::move(name)},
      log_{host.allowed().window},
      host_{host} {}

room::~room() {
    list_hook<changed_rooms_tag>::unlink();
    host_.counted().log_bytes -= log_.end() - log_.begin();
}

void room::append(author from, member* speaker, std::initializer_list<std::string_view> pieces,
                  std::size_t count) {
    std::size_t length = 0;
    for (const auto piece : pieces) length += piece.size();
    // In one turn, more than a window may be said; members that keep up must not be skipped.
    if (log_.end() + length - flushed_ > log_.window() / 2) flush();
    log_.make_space(length);
    const position begin = log_.begin_after(length);
    if (begin > min_cursor_) skip_slow_members(begin);
    auto& counted = host_.counted();
    const std::size_t passed = begin - log_.begin();
    log_.append(from, pieces);
    counted.log_bytes += length - passed;
    counted.deliveries += count * (size_ - (speaker != nullptr ? 1 : 0));
    if (speaker != nullptr && !planted(bug::chat_own_lines_come_back)) {
        speaker->set_own_end(log_.end());
    }
    if (!from.is_arrival()) return;
    members_.for_each([&](member& m) {
        if (m.id() <= from.who()) return;
        m.set_own_end(log_.end());
        counted.deliveries -= count;
    });
}

// Linear in the members, but runs only if a cursor may be before `begin`, and then not again for
// half a window, because a slow member continues half a window ahead.
void room::skip_slow_members(position begin) noexcept {
    const position half = log_.end() - std::min<position>(log_.window() / 2, log_.end());
    const position target = log_.line_start_from(std::max(begin, half));
    min_cursor_ = log_.end();
    const limits& allowed = host_.allowed();
    members_.for_each([&](member& m) {
        if (m.cursor() >= begin) {
            min_cursor_ = std::min(min_cursor_, m.cursor());
            return;
        }
        const std::size_t missed = m.skip_to(target);
        min_cursor_ = std::min(min_cursor_, m.cursor());
        host_.counted().skipped += missed;
        host_.counted().deliveries -= missed;
        sometimes(rare_path::chat_slow_skipped, missed > 0);
        if (allowed.slow == slow_policy::skip || missed == 0 || m.dismissed()) return;
        ++host_.counted().too_slow;
        dismiss_slow(m);
    });
}

void room::dismiss_slow(member& m) const noexcept {
    sometimes(rare_path::chat_slow_dismissed);
    try {
        m.dismiss(
            fmt::format("* you have to go: you are more than {} behind, and this server "
                        "does not wait; come back when you can read faster",
                        wire::format_size(host_.allowed().window)));
    } catch (const std::bad_alloc&) {
        m.give_up();
    }
}

void room::enter(member& m) {
    members_.push_back(m);
    ++size_;
    m.enter(*this, log_.end());
    min_cursor_ = std::min(min_cursor_, log_.end());
    show_history(m);
}

void room::show_history(member& m) noexcept {
    const auto [from, lines] = history();
    if (lines == 0) return;
    try {
        m.send_private(
            fmt::format("* the last {} said here:",
                        lines == 1 ? std::string{"line"} : fmt::format("{} lines", lines)));
    } catch (const std::bad_alloc&) {
        return m.give_up();
    }
    const position end = log_.end();
    m.enter(*this, from);
    m.set_history_end(end);
    min_cursor_ = std::min(min_cursor_, from);
}

void room::leave(member& m) noexcept {
    // The lines up to now are still for this member.
    m.deliver();
    const std::size_t missed = m.skip_to(log_.end());
    host_.counted().skipped += missed;
    host_.counted().deliveries -= missed;
    m.leave();
    --size_;
}

void room::flush() noexcept {
    flushed_ = log_.end();
    members_.for_each([](member& m) { m.deliver(); });
}

}  // namespace sluice::chat
