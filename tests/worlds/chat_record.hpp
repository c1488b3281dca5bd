// What was said in a simulated chat, by whom and when, and who was called what.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/sim/scheduler.hpp"
#include "tests/worlds/stage.hpp"

namespace sluice::worlds {

/// Who says lines: a connection of a plain client, or a program of ours with all its connections.
struct speaker {
    struct line {
        std::string text;  ///< as the room is to see it
        std::string room;
        sim::virtual_time at = 0;  ///< no byte of it was sent before
    };

    std::size_t number = 0;
    std::string own_name;         ///< which nobody else asks for
    std::set<std::string> names;  ///< that it has asked for, or was given
    std::vector<line> lines;
    bool complete = true;  ///< false if it has lost lines between two connections
    bool left = false;     ///< its connection is closed on its own side
    sim::virtual_time left_at = 0;
};

/// Names of which one member at a time may have one: a reader confuses them.
inline constexpr std::array<std::array<std::string_view, 3>, 2> alike{
    {{"alice", "Alice", "a1ice"}, {"bob", "B\u00d3B", "b0b"}}};

/// What a message is made from: bytes, and how a room sees them.
struct spoken {
    std::string raw;
    std::string shown;
};

/// The record that all clients of a world share.
class chat_record {
 public:
    /// `s` outlives it.
    explicit chat_record(stage& s) noexcept : stage_{s} {}

    [[nodiscard]] sim::virtual_time now() noexcept { return stage_.kernel().scheduler().now(); }
    /// A new speaker, called "`kind`N" if it asks for its own name. It stays where it is.
    speaker& add(char kind);
    /// From now on `by` is gone.
    void leave(speaker& by) noexcept;
    /// Notes what `by` says next in `room`, and returns its bytes: no newline, at most `longest` of
    /// them, parts that are not UTF-8 and controls among them.
    [[nodiscard]] std::string say(speaker& by, const std::string& room, std::size_t longest);

    [[nodiscard]] const std::deque<speaker>& speakers() const noexcept { return speakers_; }
    /// Names that may stand in announcements.
    void know(std::string name) { names_.insert(std::move(name)); }
    [[nodiscard]] bool knows(std::string_view name) const;
    /// Fails if a member before was given this number.
    void give_number(std::string_view number);
    /// `who` was called `name`, or one that is like it, from `from` to `to`: fails if another one
    /// was at a time between.
    void hold(const speaker& who, std::string_view name, sim::virtual_time from,
              sim::virtual_time to);
    /// The same text for names of which one member at a time may have one.
    [[nodiscard]] static std::string_view likeness(std::string_view name) noexcept;

 private:
    struct holding {
        std::size_t who = 0;
        sim::virtual_time from = 0;
        sim::virtual_time to = 0;
    };

    stage& stage_;
    std::deque<speaker> speakers_;
    std::set<std::string, std::less<>> names_;
    std::set<std::string, std::less<>> numbers_;
    std::map<std::string, std::vector<holding>, std::less<>> holdings_;  // by likeness
};

}  // namespace sluice::worlds
