// Checks each line that a member of a simulated chat is sent.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "tests/worlds/chat_record.hpp"
#include "tests/worlds/stage.hpp"

namespace sluice::worlds {

/// What a member may be told. Whatever breaks: a message comes whole, once, in its sender's order,
/// to the room that it was said in, never to its sender, and one that does not come is among those
/// that "* you missed". Answers are to what this member asked.
class chat_witness {
 public:
    struct rules {
        /// After it was told that it is in a room, a member has every later line; with several
        /// shards, once this time has passed.
        sim::virtual_time settles_after = 0;
        /// Members hear of all who leave.
        bool announces_leaves = true;
    };

    /// Both references outlive it.
    chat_witness(stage& s, chat_record& record, const rules& r) noexcept
        : stage_{s}, record_{record}, rules_{r} {}

    /// A connection begins, of `me`, which outlives it.
    void begin(speaker& me);
    /// A line has come, without its end. Fails if it should not have.
    void hear(std::string_view line);

    /// @name What is asked
    /// @{
    void asks_name(const std::string& name);
    void asks_room(const std::string& name) { asked_room_ = name; }
    /// By `/nick`, which answers with the name.
    void asks_who_it_is() { asked_who_.push_back(record_.now()); }
    void says_too_much() noexcept { said_too_much_ = true; }
    /// @}

    /// Where it is; empty before the welcome.
    [[nodiscard]] const std::string& room() const noexcept { return room_; }
    /// It waits for no answer about its name or its room.
    [[nodiscard]] bool settled() const noexcept {
        return !room_.empty() && asked_room_.empty() && asked_name_.empty();
    }
    /// When the oldest question who it is was asked that has no answer; sim::never if there is
    /// none.
    [[nodiscard]] sim::virtual_time waits_since() const noexcept {
        return asked_who_.empty() ? sim::never : asked_who_.front();
    }
    /// When the last line that has come from that speaker was said; 0 if none has.
    [[nodiscard]] sim::virtual_time last_from(std::size_t who) const noexcept;
    /// A speaker that has left `before`, whose leave this member should have been told; nullptr if
    /// there is none.
    [[nodiscard]] const speaker* unannounced(sim::virtual_time before) const noexcept;
    [[nodiscard]] bool was_told_to_go() const noexcept { return told_to_go_; }
    [[nodiscard]] bool heard_farewell() const noexcept { return heard_farewell_; }

 private:
    struct pattern;
    /// What was heard from one speaker in this stay in the room.
    struct heard_before {
        std::size_t next = 0;  // the first line that may come
        sim::virtual_time last_at = 0;
    };
    using stay = std::map<std::size_t, heard_before>;

    void message(std::string_view name, std::string_view text);
    void whisper(std::string_view text);
    void announcement(std::string_view line);
    void keep_order(const speaker& by, std::size_t number, stay& here, bool counts);

    void welcome(std::string_view text);
    void is_now(std::string_view name);
    void entered(std::string_view text);
    void is_called(std::string_view name);
    void who_is_here(std::string_view text);
    void refused(std::string_view text);
    void name_taken(std::string_view text);
    void history_begins(std::string_view text);
    void history_ends(std::string_view text);
    void missed(std::string_view text);
    void too_long(std::string_view text);
    void has_to_go(std::string_view text);
    void farewell(std::string_view text);
    void has_joined(std::string_view name);
    void has_left(std::string_view name);
    void ignored(std::string_view) noexcept {}
    void forget_room_before() noexcept;

    [[noreturn]] void fail(std::string_view why) const;
    void require(bool holds, std::string_view why) const {
        if (!holds) fail(why);
    }

    stage& stage_;
    chat_record& record_;
    rules rules_;
    speaker* me_ = nullptr;
    std::string_view line_;  // that is being heard
    std::string name_;
    sim::virtual_time named_at_ = 0;
    std::string room_;
    std::string room_before_;  // lines of it may still come
    sim::virtual_time entered_at_ = 0;
    std::string asked_name_;
    std::string asked_room_;
    std::deque<sim::virtual_time> asked_who_;
    stay here_;
    stay before_;
    std::map<std::size_t, sim::virtual_time> last_;
    std::set<std::size_t> present_;  // speakers that were heard here under their own names
    std::size_t gaps_ = 0;           // lines that should have come
    std::size_t told_missed_ = 0;
    std::size_t history_left_ = 0;  // lines until its end
    bool in_history_ = false;
    bool history_is_of_before_ = false;  // of the room before
    bool history_is_whole_ = false;
    bool said_too_much_ = false;
    bool told_to_go_ = false;
    bool heard_farewell_ = false;
};

}  // namespace sluice::worlds
