// Defines hub: a shard's part of a chat server, its rooms, members and messages to other shards.
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
#include "sluice/chat/server/registry.hpp"
#include "sluice/chat/server/relay.hpp"
#include "sluice/chat/server/room.hpp"
#include "sluice/chat/server/transcript.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/throttle.hpp"
#include "sluice/model/access_log.hpp"

namespace sluice::chat {

/// The room that every member enters first. It keeps its history when empty; other rooms end then.
inline constexpr const char* lobby = "lobby";

/// A room has a home shard, chosen by a hash of its name, which orders its lines. Another shard
/// with members of the room keeps a copy of its log: it sends their lines to the home shard in one
/// batch per turn and receives all lines in one batch per turn, whatever the number of members. All
/// lines of a turn are in the logs before any member is sent one. Thread of its engine.
class hub final : public member_host, io::turn_end {
 public:
    /// All references outlive the hub. `index` is its index in `r`; `lines` may be nullptr, and
    /// `accounts` where no client is asked for a password.
    hub(io::engine& engine, std::size_t index, const limits& l, directory& d, relay& r,
        transcript* lines, counters& counted, registry* accounts = nullptr);
    ~hub() override;

    [[nodiscard]] io::engine& engine() const noexcept { return engine_; }
    [[nodiscard]] directory& people() const noexcept { return directory_; }
    [[nodiscard]] std::size_t index() const noexcept { return index_; }
    /// Null where no client is asked for a password.
    [[nodiscard]] registry* accounts() const noexcept { return accounts_; }
    /// Where sessions are told; null: nowhere. It outlives the hub.
    [[nodiscard]] model::access_log* access_log() const noexcept { return access_; }
    void set_access_log(model::access_log* to) noexcept { access_ = to; }
    /// Too much is in flight between shards: pause reading from members.
    [[nodiscard]] bool congested() const noexcept { return relay_.congested(); }
    /// Adds lines to the transcript, if there is one and memory for them.
    void show(std::initializer_list<std::string_view> pieces) noexcept;

    /// Registers `m` until remove().
    void add(member& m);
    /// False if `m` was not registered.
    bool remove(member& m) noexcept;

    /// Moves `m` from its room into another, which is created if it does not exist. False if there
    /// are too many rooms; `m` then stays in its room.
    [[nodiscard]] bool enter(member& m, const std::string& name);
    /// Removes `m` from its room, and announces that if there is memory for the line.
    void leave(member& m) noexcept;
    /// Announces once to the room of `m` that it has joined.
    void arrive(member& m);
    /// Rate limits per member: of lines, and of commands that send no message.
    [[nodiscard]] const io::throttle::pace& pace_of_lines() noexcept {
        return line_pace_.at(allowed().rate, allowed().burst);
    }
    [[nodiscard]] const io::throttle::pace& pace_of_commands() noexcept {
        return command_pace_.at(allowed().command_rate, allowed().command_burst);
    }
    /// True if a command may run now, which counts it for this turn. Else the quota of this turn is
    /// used up, and `co_await command_turn()` waits, first come, first served, for a turn that runs
    /// it, a few turns at most.
    [[nodiscard]] bool may_command() noexcept;
    [[nodiscard]] auto command_turn() noexcept { return command_waiter{*this}; }
    /// Says a line in the room of `m` or announces one about it; the last piece ends in a newline.
    void say(member& m, author from, std::initializer_list<std::string_view> pieces);
    /// Sends `line`, which `by` says, to one member on any shard, unless it ignores `by`.
    void whisper(const directory::location& to, member_id by, std::string_view line);
    /// Tells the room of a member on any shard `told_all`, a line with its end, and dismisses the
    /// member with `told_it`. Its address and its account are banned until `until`, if that is
    /// given.
    void send_away(const directory::location& who, std::string_view told_all,
                   std::string_view told_it, io::time_point until = {});
    /// Mutes a member on any shard until then, and tells it.
    void mute(const directory::location& who, io::time_point until, std::string_view told_it);

    /// Ends all sessions with the line `farewell`, which is not copied, and admits no more members.
    void close(std::string_view farewell) noexcept;
    /// Posts the remaining batches, and none after that: the other hubs may then be destroyed.
    void stop_sending() noexcept;
    /// Disconnects members that exceed limits::write_deadline. To be called periodically.
    void sweep() noexcept;

    void deliver_later(member& m) noexcept override;
    /// Handles a batch; called by the relay on this hub's thread. False if memory ran out; the rest
    /// must then be delivered again.
    [[nodiscard]] bool receive(batch& b) noexcept;

 private:
    struct command_waiter : coro::resumable {
        explicit command_waiter(hub& h) noexcept : owner{h} {}
        command_waiter(const command_waiter&) = delete;
        command_waiter& operator=(const command_waiter&) = delete;
        ~command_waiter() { unlink(); }
        [[nodiscard]] static bool await_ready() noexcept { return false; }
        void await_suspend(std::coroutine_handle<> h) noexcept {
            set_waiter(h);
            owner.command_queue_.push_back(*this);
            owner.engine_.at_turn_end(owner);
        }
        // The turn in which it resumes needs its own at_end().
        void await_resume() const noexcept { owner.engine_.at_turn_end(owner); }
        hub& owner;
    };

    void at_end() noexcept;
    void post(std::unique_ptr<batch> message) noexcept;
    [[nodiscard]] std::size_t home_shard_of(std::string_view name) const noexcept;
    [[nodiscard]] member* find(member_id id) noexcept;
    room& open(const std::string& name);
    void close_if_unused(const std::string& name) noexcept;
    void append(room& r, author from, member* speaker,
                std::initializer_list<std::string_view> pieces, std::size_t count);
    void append_in_parts(room& r, author from, std::string_view lines, std::size_t& taken);
    void dispatch(batch& b);
    void send_away_here(member& m, std::string_view told_all, std::string_view told_it,
                        io::time_point until);
    batch& outgoing(std::size_t shard, const std::string& name);
    void announce_entry(member& m, author from);
    void announce_leaving(member& m) noexcept;
    void append_batch(batch& b);
    void subscribe(std::size_t shard, const std::string& name, std::uint64_t ticket);
    void unsubscribe(std::size_t shard, const std::string& name) noexcept;

    io::engine& engine_;
    std::size_t index_;
    model::access_log* access_ = nullptr;
    directory& directory_;
    relay& relay_;
    transcript* transcript_;
    registry* accounts_;
    io::throttle::changing_pace line_pace_;
    io::throttle::changing_pace command_pace_;
    std::unordered_map<std::string, std::unique_ptr<room>> rooms_;
    std::unordered_map<member_id, member*> members_;
    intrusive_list<room, changed_rooms_tag> changed_;
    intrusive_list<member, waiting_members_tag> waiting_;
    // The batches of this turn: per shard, one per room.
    std::vector<std::unordered_map<std::string, std::unique_ptr<batch>>> outgoing_;
    std::string transcript_lines_;
    coro::resumable_list command_queue_;
    std::size_t commands_left_ = 0;  // in this turn
    std::uint64_t last_ticket_ = 0;
    bool stopped_ = false;
};

}  // namespace sluice::chat
