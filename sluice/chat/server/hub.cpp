// Rooms, members and mail of one shard.
#include "sluice/chat/server/hub.hpp"

#include <algorithm>
#include <functional>
#include <new>
#include <utility>

#include "sluice/base/check.hpp"

namespace sluice::chat {
namespace {

/// What a burst needed is given back when it is over, if there is memory to do it.
template <class Table>
void give_back_buckets(Table& table) noexcept {
    constexpr std::size_t small = 1024;
    if (table.bucket_count() <= std::max(small, 8 * table.size())) return;
    try {
        table.rehash(2 * table.size());
    } catch (const std::bad_alloc&) {
        // It stays as large as it is.
        return;
    }
}

}  // namespace

hub::hub(io::engine& home, std::size_t index, const limits& l, directory& people, relay& post,
         transcript* seen)
    : member_host{l},
      turn_end{[](io::turn_end& t) noexcept { static_cast<hub&>(t).at_end(); }},
      engine_{home},
      index_{index},
      directory_{people},
      relay_{post},
      transcript_{seen},
      line_pace_{l.rate, l.burst},
      command_pace_{l.command_rate, l.command_burst},
      outgoing_(post.shards()),
      commands_left_{l.commands_a_turn} {
    relay_.enlist(index_, *this);
}

hub::~hub() {
    check(members_.empty(), "a hub dies with members");
    // The last mail of another shard may have come in this very turn: nobody is left to read it.
    while (!changed_.empty()) changed_.pop_front();
    relay_.retire(index_);
}

void hub::show(std::initializer_list<std::string_view> pieces) noexcept {
    if (transcript_ == nullptr) return;
    const std::size_t before = shown_.size();
    try {
        for (const auto piece : pieces) shown_.append(piece);
    } catch (const std::bad_alloc&) {
        ++counted().no_memory;
        shown_.resize(before);
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
    give_back_buckets(members_);
    return true;
}

member* hub::find(member_id id) noexcept {
    const auto at = members_.find(id);
    return at == members_.end() ? nullptr : at->second;
}

std::size_t hub::home_of(std::string_view name) const noexcept {
    return std::hash<std::string_view>{}(name) % relay_.shards();
}

room& hub::open(const std::string& name) {
    const auto at = rooms_.find(name);
    if (at != rooms_.end()) return *at->second;
    const std::size_t home = home_of(name);
    auto made = std::make_unique<room>(name, home, *this);
    std::unique_ptr<batch> letter;
    if (home != index_) {
        letter = std::make_unique<batch>(relay_, index_, home, batch::purpose::subscribe, name);
        made->elsewhere.goodbye =
            std::make_unique<batch>(relay_, index_, home, batch::purpose::unsubscribe, name);
    }
    room& r = *rooms_.emplace(name, std::move(made)).first->second;
    ++counted().rooms;
    if (!letter) return r;
    letter->ticket = r.elsewhere.ticket = ++last_ticket_;
    post(std::move(letter));
    return r;
}

void hub::close_if_unused(const std::string& name) noexcept {
    const auto at = rooms_.find(name);
    if (at == rooms_.end()) return;
    room& r = *at->second;
    if (r.size() > 0 || !r.elsewhere.copies.empty()) return;
    const std::size_t home = r.elsewhere.home;
    if (home == index_ && name == lobby) return;
    if (home != index_) post(std::move(r.elsewhere.goodbye));
    rooms_.erase(at);
    --counted().rooms;
    give_back_buckets(rooms_);
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
    if (m.has_arrived()) announce_leaving(m);
    r->leave(m);
    close_if_unused(r->name());
}

// A room of one's own costs no line.
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
    if (r.elsewhere.home == index_) {
        append(r, from, &m, pieces, 1);
    } else {
        outgoing(r.elsewhere.home, r.name()).add(from, pieces);
    }
}

void hub::append(room& r, author from, member* speaker,
                 std::initializer_list<std::string_view> pieces, std::size_t count) {
    r.append(from, speaker, pieces, count);
    if (!r.list_hook<changed_rooms_tag>::linked()) changed_.push_back(r);
    engine_.at_turn_end(*this);
    for (const std::size_t shard : r.elsewhere.copies) {
        try {
            outgoing(shard, r.name()).add(from, pieces);
        } catch (const std::bad_alloc&) {
            counted().no_memory += count;
        }
    }
}

// What one member said in a turn may be more than a log takes at once.
void hub::append_in_parts(room& r, author from, std::string_view lines, std::size_t& taken) {
    member* speaker = find(from.who());
    if (speaker != nullptr && speaker->where() != &r) speaker = nullptr;
    const std::size_t most = r.lines().window() / 2;
    while (!lines.empty()) {
        std::size_t length = lines.size();
        if (length > most) {
            const auto end = lines.rfind('\n', most - 1);
            // The longest line may be longer than that, and goes alone.
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
    auto& letters = outgoing_[shard];
    const auto there = letters.find(name);
    if (there != letters.end()) return *there->second;
    const auto why = home_of(name) == index_ ? batch::purpose::heard : batch::purpose::said;
    auto letter = std::make_unique<batch>(relay_, index_, shard, why, name);
    return *letters.emplace(name, std::move(letter)).first->second;
}

void hub::whisper(const directory::whereabouts& to, std::string_view line) {
    ++counted().whispers;
    if (to.shard == index_) {
        if (member* m = find(to.id)) m->tell(line);
        return;
    }
    auto letter =
        std::make_unique<batch>(relay_, index_, to.shard, batch::purpose::whisper, std::string{});
    letter->add(author::speaking(to.id), {line});
    post(std::move(letter));
}

bool hub::take(batch& b) noexcept {
    // What comes that late is for nobody, however often it comes.
    if (silent_) return true;
    try {
        open_letter(b);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void hub::open_letter(batch& b) {
    switch (b.why) {
        case batch::purpose::whisper:
            if (member* m = find(b.stretches.front().first.who())) m->tell(b.bytes);
            return;
        case batch::purpose::subscribe: return subscribe(b.from, b.room, b.ticket);
        case batch::purpose::unsubscribe: return unsubscribe(b.from, b.room);
        case batch::purpose::said:
        case batch::purpose::heard:
        case batch::purpose::history: return take_lines(b);
    }
}

void hub::take_lines(batch& b) {
    const auto at = rooms_.find(b.room);
    // The last member here has left meanwhile.
    if (at == rooms_.end()) return;
    room& r = *at->second;
    // Until the history of this subscription has come, whatever comes is of an earlier one.
    const bool answers = b.why == batch::purpose::history && b.ticket == r.elsewhere.ticket;
    if (r.elsewhere.ticket != 0 && !answers) return;
    if (b.why == batch::purpose::history && !answers) return;
    std::size_t end = 0;
    for (const auto& [by, length] : b.stretches) {
        end += length;
        if (end <= b.taken) continue;
        append_in_parts(r, by, std::string_view{b.bytes}.substr(b.taken, end - b.taken), b.taken);
    }
    if (!answers) return;
    r.elsewhere.ticket = 0;
    r.for_each_member([&r](member& m) { r.show_history(m); });
}

void hub::subscribe(std::size_t shard, const std::string& name, std::uint64_t ticket) {
    room& r = open(name);
    auto before = std::make_unique<batch>(relay_, index_, shard, batch::purpose::history, name);
    before->ticket = ticket;
    const log& lines = r.lines();
    position at = r.history().from;
    while (at < lines.end()) {
        const auto s = lines.stretch_at(at);
        if (!s.by.is_announcement()) before->add(s.by, {lines.view(at, s.to)});
        at = s.to;
    }
    r.elsewhere.copies.push_back(shard);
    post(std::move(before));
}

void hub::unsubscribe(std::size_t shard, const std::string& name) noexcept {
    const auto at = rooms_.find(name);
    if (at == rooms_.end()) return;
    std::erase(at->second->elsewhere.copies, shard);
    // Should it subscribe again, the history will tell it.
    outgoing_[shard].erase(name);
    close_if_unused(name);
}

void hub::close(std::string_view farewell) noexcept {
    farewell_ = farewell;
    for (auto& [id, m] : members_) m->see_out(farewell);
}

void hub::fall_silent() noexcept {
    at_end();
    silent_ = true;
}

void hub::post(std::unique_ptr<batch> letter) noexcept {
    if (!silent_) relay_.post(std::move(letter));
}

void hub::sweep() noexcept {
    for (auto& [id, m] : members_) {
        if (m->has_moved()) m->moved_at = engine_.now();
        if (m->broken() || engine_.now() - m->moved_at < allowed().write_deadline) continue;
        ++counted().too_silent;
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
    for (auto& letters : outgoing_) {
        for (auto& [room, letter] : letters) post(std::move(letter));
        letters.clear();
    }
    if (shown_.empty()) return;
    transcript_->add(shown_);
    shown_.clear();
    // A burst of lines is not kept.
    constexpr std::size_t usual = std::size_t{64} << 10;
    if (shown_.capacity() > usual) shown_.shrink_to_fit();
}

}  // namespace sluice::chat
