// Defines member_input: parses and handles the lines that a chat member sends.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/auth/credentials.hpp"
#include "sluice/base/result.hpp"
#include "sluice/chat/server/hub.hpp"
#include "sluice/chat/server/member.hpp"
#include "sluice/io/buffer_pool.hpp"
#include "sluice/io/throttle.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::chat {

/// Splits a member's input into lines and runs them. Not a coroutine, so that a silent member costs
/// no more memory than this object.
class member_input {
 public:
    /// Both references outlive the object.
    member_input(hub& h, member& m);

    /// The deadline of the next read.
    [[nodiscard]] io::time_point deadline() noexcept;
    /// What the unhandled lines of the chunk wait for.
    enum class hold : std::uint8_t {
        none,
        time,   ///< held_for()
        turn,   ///< hub::command_turn(), then granted()
        login,  ///< the check of take_login()
    };
    [[nodiscard]] hold held() const noexcept {
        return held_ == hold::none && hub_.congested() ? hold::time : held_;
    }
    [[nodiscard]] io::duration held_for() const noexcept {
        constexpr io::duration moment = std::chrono::milliseconds{1};
        return held_ == hold::time ? std::max(backlog_->time, moment) : moment;
    }
    void granted() noexcept { granted_ = true; }
    /// What the member says of itself.
    [[nodiscard]] auth::credentials take_login() noexcept { return std::move(backlog_->login); }
    /// Copies the rest of the chunk, so that its pool buffer, large beside a line, can be
    /// released.
    void keep_chunk();
    void drop_chunk() noexcept;

    /// False if the session ends: the member left or was dismissed, or its stream has ended. While
    /// held(), call resume() before the next feed(), and keep the chunk, or call keep_chunk().
    [[nodiscard]] bool feed(const result<io::lease>& got);
    [[nodiscard]] bool resume();

 private:
    /// State of a member that has been held at least once.
    struct backlog {
        std::string chunk;
        std::string_view rest;  // lines of a message that wait for a turn, or for a login
        auth::credentials login;
        io::duration time{};
        io::time_point next_notice{};
    };
    backlog& make_backlog() {
        if (!backlog_) backlog_ = std::make_unique<backlog>();
        return *backlog_;
    }
    [[nodiscard]] io::time_point now() const noexcept { return hub_.engine().now(); }
    void charge_line() noexcept { line_throttle_.charge(hub_.pace_of_lines(), now()); }
    void charge_command() noexcept { command_throttle_.charge(hub_.pace_of_commands(), now()); }

    /// True if the next message has to wait because of the commands before it. A member whose
    /// connection has failed does not: a flood of commands would keep its name for minutes.
    [[nodiscard]] bool waits_for_commands() const noexcept;
    /// False if the next message has to wait for held_for().
    [[nodiscard]] bool may_read_message();
    /// What came of the lines of a message.
    enum class outcome : std::uint8_t {
        done,
        held,  ///< those that are left are in the backlog
        left,  ///< the member leaves
    };
    [[nodiscard]] outcome handle_lines(std::string_view rest);
    void report_held_back(std::string_view pace);
    void too_long();
    bool dismiss_stranger(error why);
    bool no_memory();
    bool leave();
    /// False if the command has to wait for another turn.
    [[nodiscard]] bool may_carry_out(std::string_view line) noexcept;
    bool handle_line(std::string_view line);
    void log_in(std::string_view line);
    bool say(std::string_view text);

    hub& hub_;
    member& member_;
    wire::frame_reader reader_;
    io::throttle line_throttle_;
    io::throttle command_throttle_;
    io::time_point introduction_end_;
    io::time_point pause_until_ = io::never;
    std::unique_ptr<backlog> backlog_;
    hold held_ = hold::none;
    bool holds_chunk_ = false;
    bool granted_ = false;
    bool ended_ = false;
    bool pause_begins_ = false;
};

}  // namespace sluice::chat
