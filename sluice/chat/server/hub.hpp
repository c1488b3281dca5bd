// A shard's part of the chat: its rooms, its members, and the mail to the other shards.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sluice/base/intrusive_list.hpp"
#include "sluice/chat/server/directory.hpp"
#include "sluice/chat/server/limits.hpp"
#include "sluice/chat/server/member.hpp"
#include "sluice/chat/server/relay.hpp"
#include "sluice/chat/server/room.hpp"
#include "sluice/chat/server/throttle.hpp"
#include "sluice/chat/server/transcript.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/io/engine.hpp"

namespace sluice::chat {

/// Where everybody begins. It keeps its history when nobody is there; other rooms end then.
inline constexpr const char* lobby = "lobby";

/// Each room is ordered by one shard, its home, which a hash of its name decides. A shard with
/// members of a room that lives elsewhere keeps a copy of its log: what they say goes to the home
/// in one letter a turn, and what was said, by anybody, comes back in one letter a turn, whatever
/// the number of members. All that was said in a turn is in the logs before anybody is sent any of
/// it. Thread of its engine.
class hub final : public member_host, io::turn_end {
 public:
    /// All of them outlive the hub. `index` is its place among the hubs of `post`; `seen` may be
    /// nullptr.
    hub(io::engine& home, std::size_t index, const limits& l, directory& people, relay& post,
        transcript* seen);
    ~hub() override;

    [[nodiscard]] io::engine& home() const noexcept { return engine_; }
    [[nodiscard]] directory& people() const noexcept { return directory_; }
    [[nodiscard]] std::size_t index() const noexcept { return index_; }
    /// The mail between the shards is full: nobody should be listened to for a moment.
    [[nodiscard]] bool crowded() const noexcept { return relay_.crowded(); }
    /// Lines for the operator; nothing if nobody looks, or there is no memory for them.
    void show(std::initializer_list<std::string_view> pieces) noexcept;

    /// `m` is known here from now until it is removed.
    void add(member& m);
    /// False if it was not known.
    bool remove(member& m) noexcept;

    /// Puts `m` into a room, made if need be, after leaving the one it is in. False if there are
    /// too many rooms; it then stays where it is.
    [[nodiscard]] bool enter(member& m, const std::string& name);
    /// Takes `m` out of its room, which is told if there is memory for that.
    void leave(member& m) noexcept;
    /// Tells the room of `m` that it has joined, unless that is done.
    void arrive(member& m);
    /// Of one member's lines, and of its commands that say nothing.
    [[nodiscard]] const throttle::pace& pace_of_lines() const noexcept { return line_pace_; }
    [[nodiscard]] const throttle::pace& pace_of_commands() const noexcept { return command_pace_; }
    /// Whether a command may be carried out now, which is then counted for this turn. If not, this
    /// turn has carried out as many as it may, and `co_await command_turn()` waits for one that has
    /// room for it, first come, first served. That never takes longer than a few turns.
    [[nodiscard]] bool may_command() noexcept;
    [[nodiscard]] auto command_turn() noexcept { return command_waiter{*this}; }
    /// Says a line in the room of `m`, or announces one about it; the last piece ends in a newline.
    void say(member& m, author from, std::initializer_list<std::string_view> pieces);
    /// A line for somebody on any shard.
    void whisper(const directory::whereabouts& to, std::string_view line);

    /// Everybody is seen out with `farewell`, which is not copied, and nobody is let in any more.
    void close(std::string_view farewell) noexcept;
    /// Empty until close().
    [[nodiscard]] std::string_view farewell() const noexcept { return farewell_; }
    /// The last mail goes out now, and none after it, whatever comes in: the other hubs may end.
    void fall_silent() noexcept;
    /// Hangs up on members that have taken nothing for too long. To be called now and then.
    void sweep() noexcept;

    void deliver_later(member& m) noexcept override;
    /// For the relay, on this hub's thread. False if there is no memory for what is left of it.
    [[nodiscard]] bool take(batch& b) noexcept;

 private:
    struct command_waiter : coro::resumable {
        explicit command_waiter(hub& h) noexcept : owner{h} {}
        [[nodiscard]] static bool await_ready() noexcept { return false; }
        void await_suspend(std::coroutine_handle<> h) noexcept {
            set_waiter(h);
            owner.command_queue_.push_back(*this);
            owner.engine_.at_turn_end(owner);
        }
        // The turn that it runs in has its own end.
        void await_resume() const noexcept { owner.engine_.at_turn_end(owner); }
        hub& owner;
    };

    void at_end() noexcept;
    void post(std::unique_ptr<batch> letter) noexcept;
    [[nodiscard]] std::size_t home_of(std::string_view name) const noexcept;
    [[nodiscard]] member* find(member_id id) noexcept;
    room& open(const std::string& name);
    void close_if_unused(const std::string& name) noexcept;
    void append(room& r, author from, member* speaker,
                std::initializer_list<std::string_view> pieces, std::size_t count);
    void append_in_parts(room& r, author from, std::string_view lines, std::size_t& taken);
    void open_letter(batch& b);
    batch& outgoing(std::size_t shard, const std::string& name);
    void announce_entry(member& m, author from);
    void announce_leaving(member& m) noexcept;
    void take_lines(batch& b);
    void subscribe(std::size_t shard, const std::string& name, std::uint64_t ticket);
    void unsubscribe(std::size_t shard, const std::string& name) noexcept;

    io::engine& engine_;
    std::size_t index_;
    directory& directory_;
    relay& relay_;
    transcript* transcript_;
    throttle::pace line_pace_;
    throttle::pace command_pace_;
    std::unordered_map<std::string, std::unique_ptr<room>> rooms_;
    std::unordered_map<member_id, member*> members_;
    intrusive_list<room, changed_rooms_tag> changed_;
    intrusive_list<member, waiting_members_tag> waiting_;
    // The mail of this turn: for each shard, a letter a room.
    std::vector<std::unordered_map<std::string, std::unique_ptr<batch>>> outgoing_;
    std::string shown_;
    std::string_view farewell_;
    coro::resumable_list command_queue_;
    std::size_t commands_left_ = 0;  // in this turn
    std::uint64_t last_ticket_ = 0;
    bool silent_ = false;
};

}  // namespace sluice::chat
