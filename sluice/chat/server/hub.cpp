// Implements hub: rooms and members of one shard, and its messages to other shards.
#include "sluice/chat/server/hub.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <new>
#include <string>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/base/planted_bug.hpp"
#include "sluice/base/sometimes.hpp"
#include "sluice/net/client_network.hpp"

namespace sluice::chat {
namespace {

/// Shrinks a table after a burst, if there is memory for the rehash.
template <class Table>
void shrink(Table& table) noexcept {
    constexpr std::size_t min_buckets = 1024;
    if (table.bucket_count() <= std::max(min_buckets, 8 * table.size())) return;
    try {
        table.rehash(2 * table.size());
    } catch (const std::bad_alloc&) {
        return;
    }
}

/// What is banned with a member without an account: its host, or of a Unix socket its user.
std::string host_text(const net::address& from) {
    if (from.is_unix()) return fmt::format("unix:uid={}", from.user());
    std::string host;
    from.append_host(host);
    return host;
}

}  // namespace

hub::hub(io::engine& engine, std::size_t index, const limits& l, directory& d, relay& r,
         transcript* lines, counters& counted, registry* accounts)
    : member_host{l, counted},
      turn_end{[](io::turn_end& t) noexcept { static_cast<hub&>(t).at_end(); }},
      engine_{engine},
      index_{index},
      directory_{d},
      relay_{r},
      transcript_{lines},
      accounts_{accounts},
      line_pace_{l.rate, l.burst},
      command_pace_{l.command_rate, l.command_burst},
      outgoing_(r.shards()),
      commands_left_{l.commands_a_turn} {
    relay_.add_hub(index_, *this);
}

hub::~hub() {
    check(members_.empty(), "a hub is destroyed with members");
    // Batches of other shards may have changed rooms in this turn; no member is left to read them.
    while (!changed_.empty()) changed_.pop_front();
    relay_.remove_hub(index_);
}

void hub::show(std::initializer_list<std::string_view> pieces) noexcept {
    if (transcript_ == nullptr) return;
    const std::size_t before = transcript_lines_.size();
    try {
        for (const auto piece : pieces) transcript_lines_.append(piece);
    } catch (const std::bad_alloc&) {
        ++counted().no_memory;
        transcript_lines_.resize(before);
    }
    engine_.at_turn_end(*this);
}

void hub::add(member& m) {
    members_.emplace(m.id(), &m);
    ++counted().members;
    ++counted().connected;
}

bool hub::remove(member& m) noexcept {
    if (members_.erase(m.id()) == 0) return false;
    --counted().members;
    shrink(members_);
    return true;
}

member* hub::find(member_id id) noexcept {
    const auto at = members_.find(id);
    return at == members_.end() ? nullptr : at->second;
}

std::size_t hub::home_shard_of(std::string_view name) const noexcept {
    return std::hash<std::string_view>{}(name) % relay_.shards();
}

room& hub::open(const std::string& name) {
    const auto at = rooms_.find(name);
    if (at != rooms_.end()) return *at->second;
    const std::size_t home_shard = home_shard_of(name);
    auto made = std::make_unique<room>(name, home_shard, *this);
    std::unique_ptr<batch> message;
    if (home_shard != index_) {
        message =
            std::make_unique<batch>(relay_, index_, home_shard, batch::purpose::subscribe, name);
        made->links.unsubscribe_message =
            std::make_unique<batch>(relay_, index_, home_shard, batch::purpose::unsubscribe, name);
    }
    room& r = *rooms_.emplace(name, std::move(made)).first->second;
    ++counted().rooms;
    if (!message) return r;
    message->ticket = r.links.ticket = ++last_ticket_;
    post(std::move(message));
    return r;
}

void hub::close_if_unused(const std::string& name) noexcept {
    const auto at = rooms_.find(name);
    if (at == rooms_.end()) return;
    room& r = *at->second;
    if (r.size() > 0 || !r.links.copies.empty()) return;
    const std::size_t home_shard = r.links.home_shard;
    if (home_shard == index_ && name == lobby) return;
    if (home_shard != index_ && !planted(bug::chat_copy_never_ends)) {
        // Its last lines go first: behind the end of the copy, they would reach the member that
        // opens a room of this name next.
        if (const auto last = outgoing_[home_shard].extract(name)) post(std::move(last.mapped()));
        post(std::move(r.links.unsubscribe_message));
    }
    rooms_.erase(at);
    --counted().rooms;
    shrink(rooms_);
}

bool hub::enter(member& m, const std::string& name) {
    room& r = open(name);
    bool moved = false;
    try {
        moved = directory_.move(m.entry(), name, allowed().max_rooms);
    } catch (const std::bad_alloc&) {
        close_if_unused(name);
        throw;
    }
    if (!moved) {
        close_if_unused(name);
        return false;
    }
    leave(m);
    r.enter(m);
    if (m.has_arrived()) announce_entry(m, author::announced(m.id()));
    return true;
}

void hub::arrive(member& m) {
    if (m.has_arrived()) return;
    m.arrive();
    announce_entry(m, author::arrived(m.id()));
}

bool hub::may_command() noexcept {
    engine_.at_turn_end(*this);
    if (commands_left_ == 0 || !command_queue_.empty()) return false;
    --commands_left_;
    return true;
}

void hub::leave(member& m) noexcept {
    room* r = m.where();
    if (r == nullptr) return;
    if (m.has_arrived() && !planted(bug::chat_leave_untold)) announce_leaving(m);
    r->leave(m);
    close_if_unused(r->name());
}

// A room with one member needs no announcement.
void hub::announce_entry(member& m, author from) {
    const std::size_t members = directory_.members_of(m.where()->name());
    if (members < 2 || members > allowed().presence) return;
    say(m, from, {"* ", m.name(), " has joined\n"});
}

void hub::announce_leaving(member& m) noexcept {
    if (directory_.members_of(m.where()->name()) > allowed().presence) return;
    try {
        say(m, author::announced(m.id()), {"* ", m.name(), " has left\n"});
    } catch (const std::bad_alloc&) {
        ++counted().no_memory;
    }
}

void hub::say(member& m, author from, std::initializer_list<std::string_view> pieces) {
    room& r = *m.where();
    if (r.links.home_shard == index_) {
        append(r, from, &m, pieces, 1);
    } else {
        outgoing(r.links.home_shard, r.name()).add(from, pieces);
    }
}

void hub::append(room& r, author from, member* speaker,
                 std::initializer_list<std::string_view> pieces, std::size_t count) {
    r.append(from, speaker, pieces, count);
    if (!planted(bug::chat_lost_wakeup) && !r.list_hook<changed_rooms_tag>::linked())
        changed_.push_back(r);
    engine_.at_turn_end(*this);
    for (const std::size_t shard : r.links.copies) {
        try {
            outgoing(shard, r.name()).add(from, pieces);
        } catch (const std::bad_alloc&) {
            counted().no_memory += count;
        }
    }
}

// A batch may hold more lines of one author than a log accepts at once.
void hub::append_in_parts(room& r, author from, std::string_view lines, std::size_t& taken) {
    member* speaker = find(from.who());
    if (speaker != nullptr && speaker->where() != &r) speaker = nullptr;
    const std::size_t most = r.lines().window() / 2;
    while (!lines.empty()) {
        std::size_t length = lines.size();
        if (length > most) {
            const auto end = lines.rfind('\n', most - 1);
            // A longer line is appended alone.
            length = (end == std::string_view::npos ? lines.find('\n') : end) + 1;
        }
        const auto part = lines.substr(0, length);
        append(r, from, speaker, {part},
               static_cast<std::size_t>(std::count(part.begin(), part.end(), '\n')));
        lines.remove_prefix(length);
        taken += length;
    }
}

batch& hub::outgoing(std::size_t shard, const std::string& name) {
    engine_.at_turn_end(*this);
    auto& messages = outgoing_[shard];
    const auto found = messages.find(name);
    if (found != messages.end()) return *found->second;
    const auto kind = home_shard_of(name) == index_ ? batch::purpose::lines_to_copy
                                                    : batch::purpose::lines_to_home;
    auto message = std::make_unique<batch>(relay_, index_, shard, kind, name);
    return *messages.emplace(name, std::move(message)).first->second;
}

void hub::whisper(const directory::location& to, member_id by, std::string_view line) {
    ++counted().whispers;
    if (to.shard == index_) {
        const member_id id = planted(bug::chat_whisper_to_another) ? to.id - 1 : to.id;
        if (member* m = find(id); m != nullptr && !m->ignores(by)) m->send_private(line);
        return;
    }
    auto message =
        std::make_unique<batch>(relay_, index_, to.shard, batch::purpose::whisper, std::string{});
    message->by = by;
    message->add(author::speaking(to.id), {line});
    post(std::move(message));
}

void hub::send_away(const directory::location& who, std::string_view told_all,
                    std::string_view told_it, io::time_point until) {
    if (who.shard == index_) {
        if (member* m = find(who.id)) send_away_here(*m, told_all, told_it, until);
        return;
    }
    auto message = std::make_unique<batch>(relay_, index_, who.shard, batch::purpose::send_away,
                                           std::string{});
    message->until = until;
    message->add(author::announced(who.id), {told_all});
    message->add(author::speaking(who.id), {told_it});
    post(std::move(message));
}

void hub::send_away_here(member& m, std::string_view told_all, std::string_view told_it,
                         io::time_point until) {
    const auto from = m.address();
    if (until != io::time_point{} && accounts_ != nullptr) {
        const auto now = engine_.now();
        if (m.account() != nullptr && !m.account()->name.empty()) {
            accounts_->banned().add({.what = m.account()->name, .until = until}, now);
        } else if (from) {
            accounts_->banned().add(
                {.what = host_text(*from), .network = net::network_of(*from), .until = until}, now);
        }
    }
    if (m.where() != nullptr && !m.dismissed()) say(m, author::announced(m.id()), {told_all});
    m.dismiss(told_it);
}

void hub::mute(const directory::location& who, io::time_point until, std::string_view told_it) {
    if (who.shard == index_) {
        if (member* m = find(who.id)) {
            m->mute(until);
            m->send_private(told_it);
        }
        return;
    }
    auto message =
        std::make_unique<batch>(relay_, index_, who.shard, batch::purpose::mute, std::string{});
    message->until = until;
    message->add(author::speaking(who.id), {told_it});
    post(std::move(message));
}

bool hub::receive(batch& b) noexcept {
    // After stop_sending() there are no members; the batch is dropped.
    if (stopped_) return true;
    try {
        dispatch(b);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void hub::dispatch(batch& b) {
    switch (b.kind) {
        case batch::purpose::whisper:
            if (member* m = find(b.stretches.front().first.who());
                m != nullptr && !m->ignores(b.by))
                m->send_private(b.bytes);
            return;
        case batch::purpose::send_away:
            if (member* m = find(b.stretches.front().first.who())) {
                const std::string_view all{b.bytes};
                const auto first = b.stretches.front().second;
                send_away_here(*m, all.substr(0, first), all.substr(first), b.until);
            }
            return;
        case batch::purpose::mute:
            if (member* m = find(b.stretches.front().first.who())) {
                m->mute(b.until);
                m->send_private(b.bytes);
            }
            return;
        case batch::purpose::subscribe: return subscribe(b.from, b.room, b.ticket);
        case batch::purpose::unsubscribe: return unsubscribe(b.from, b.room);
        case batch::purpose::lines_to_home:
        case batch::purpose::lines_to_copy:
        case batch::purpose::history: return append_batch(b);
    }
}

void hub::append_batch(batch& b) {
    const auto at = rooms_.find(b.room);
    // The copy has ended meanwhile.
    sometimes(rare_path::chat_batch_after_its_copy, at == rooms_.end());
    if (at == rooms_.end()) return;
    room& r = *at->second;
    // Batches before the history of this subscription belong to an earlier one.
    const bool is_awaited_history = b.kind == batch::purpose::history && b.ticket == r.links.ticket;
    if (r.links.ticket != 0 && !is_awaited_history) {
        sometimes(rare_path::chat_batch_before_history);
        return;
    }
    if (b.kind == batch::purpose::history && !is_awaited_history) return;
    std::size_t end = 0;
    for (const auto& [by, length] : b.stretches) {
        end += length;
        if (end <= b.taken) continue;
        append_in_parts(r, by, std::string_view{b.bytes}.substr(b.taken, end - b.taken), b.taken);
    }
    if (!is_awaited_history) return;
    r.links.ticket = 0;
    r.for_each_member([&r](member& m) { r.show_history(m); });
}

void hub::subscribe(std::size_t shard, const std::string& name, std::uint64_t ticket) {
    room& r = open(name);
    auto reply = std::make_unique<batch>(relay_, index_, shard, batch::purpose::history, name);
    reply->ticket = ticket;
    const log& lines = r.lines();
    position at = r.history().from;
    while (at < lines.end()) {
        const auto s = lines.stretch_at(at);
        if (!s.by.is_announcement()) reply->add(s.by, {lines.view(at, s.to)});
        at = s.to;
    }
    r.links.copies.push_back(shard);
    post(std::move(reply));
}

void hub::unsubscribe(std::size_t shard, const std::string& name) noexcept {
    const auto at = rooms_.find(name);
    if (at == rooms_.end()) return;
    std::erase(at->second->links.copies, shard);
    // If the shard subscribes again, the history holds these lines.
    const bool erased = outgoing_[shard].erase(name) > 0;
    sometimes(rare_path::chat_unsent_to_ended_copy, erased);
    close_if_unused(name);
}

void hub::close(std::string_view farewell) noexcept {
    set_farewell(farewell);
    for (auto& [id, m] : members_) m->flush_and_close();
}

void hub::stop_sending() noexcept {
    at_end();
    stopped_ = true;
}

void hub::post(std::unique_ptr<batch> message) noexcept {
    if (!stopped_) relay_.post(std::move(message));
}

void hub::sweep() noexcept {
    for (auto& [id, m] : members_) {
        if (m->made_progress()) m->progress_at = engine_.now();
        if (m->broken() || engine_.now() - m->progress_at < allowed().write_deadline.get())
            continue;
        ++counted().too_silent;
        sometimes(rare_path::chat_silent_hung_up);
        m->hang_up();
    }
}

void hub::deliver_later(member& m) noexcept {
    if (!m.list_hook<waiting_members_tag>::linked()) waiting_.push_back(m);
    engine_.at_turn_end(*this);
}

void hub::at_end() noexcept {
    commands_left_ = allowed().commands_a_turn;
    for (; commands_left_ > 0 && !command_queue_.empty(); --commands_left_) {
        engine_.ready().push(command_queue_.pop_front());
    }
    while (!changed_.empty()) changed_.pop_front().flush();
    while (!waiting_.empty()) waiting_.pop_front().deliver();
    for (auto& messages : outgoing_) {
        for (auto& [room, message] : messages) post(std::move(message));
        messages.clear();
    }
    if (transcript_lines_.empty()) return;
    transcript_->add(transcript_lines_);
    transcript_lines_.clear();
    // Frees the memory of a burst.
    constexpr std::size_t max_kept_capacity = std::size_t{64} << 10;
    if (transcript_lines_.capacity() > max_kept_capacity) transcript_lines_.shrink_to_fit();
}

}  // namespace sluice::chat
