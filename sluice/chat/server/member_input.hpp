// What one member sends, cut into lines, and what becomes of them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/chat/server/hub.hpp"
#include "sluice/chat/server/member.hpp"
#include "sluice/chat/server/throttle.hpp"
#include "sluice/io/buffer_pool.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::chat {

/// Cuts what a member sends into lines and does what they say. No coroutine, so that all a member
/// costs while it is silent is what stands here.
class member_input {
 public:
    /// Both outlive it.
    member_input(hub& h, member& m);

    /// Until when the next read may wait.
    [[nodiscard]] io::time_point deadline() noexcept;
    /// What lines of the chunk wait for that are not heard yet.
    enum class hold : std::uint8_t {
        none,
        time,  ///< held_for()
        turn,  ///< a turn with room for a command, which is then granted()
    };
    [[nodiscard]] hold held() const noexcept {
        return held_ == hold::none && hub_.crowded() ? hold::time : held_;
    }
    [[nodiscard]] io::duration held_for() const noexcept {
        constexpr io::duration moment = std::chrono::milliseconds{1};
        return held_ == hold::time ? std::max(held_up_->time, moment) : moment;
    }
    void granted() noexcept { granted_ = true; }
    /// What is left of the chunk from now on lies here: a buffer of the pool would be missed
    /// elsewhere, and is large beside a line.
    void keep_chunk();
    void drop_chunk() noexcept;

    /// False if the member goes: it has said so, or its end of the connection is over. While it is
    /// held(), resume() comes before the next feed(), and the chunk stays or is kept here.
    [[nodiscard]] bool feed(const result<io::lease>& got);
    [[nodiscard]] bool resume();

 private:
    /// What a member needs from the first time on that it is held up.
    struct held_up {
        std::string chunk;
        std::string_view rest;  // of a message: lines that wait for a turn
        io::duration time{};
        io::time_point told_until{};
    };
    held_up& holding() {
        if (!held_up_) held_up_ = std::make_unique<held_up>();
        return *held_up_;
    }
    [[nodiscard]] io::time_point now() const noexcept { return hub_.home().now(); }
    void charge_line() noexcept { said_.charge(hub_.pace_of_lines(), now()); }
    void charge_command() noexcept { asked_.charge(hub_.pace_of_commands(), now()); }

    /// False if what was read has to wait for held_for().
    [[nodiscard]] bool may_speak();
    void tell_held_back(std::string_view pace);
    void too_long();
    bool no_memory();
    bool leave();
    /// False if the line has to wait for another turn.
    [[nodiscard]] bool may_carry_out(std::string_view line) noexcept;
    bool hear_line(std::string_view line);
    bool say(std::string_view text);

    hub& hub_;
    member& member_;
    wire::frame_reader reader_;
    throttle said_;
    throttle asked_;
    io::time_point introduced_by_;
    io::time_point pause_until_ = io::never;
    std::unique_ptr<held_up> held_up_;
    hold held_ = hold::none;
    bool holds_chunk_ = false;
    bool granted_ = false;
    bool ended_ = false;
    bool pause_begins_ = false;
};

}  // namespace sluice::chat
