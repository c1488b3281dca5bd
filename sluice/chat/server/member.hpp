// One member of a room: a cursor into its log, and the one send that moves it on.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "sluice/base/intrusive_list.hpp"
#include "sluice/base/result.hpp"
#include "sluice/chat/server/directory.hpp"
#include "sluice/chat/server/limits.hpp"
#include "sluice/chat/server/log.hpp"
#include "sluice/io/op.hpp"
#include "sluice/net/connection.hpp"

namespace sluice::chat {

class member;
class room;
struct room_members_tag;
struct waiting_members_tag;

/// What members share: limits, counters, and the end of the turn, when they are served.
class member_host {
 public:
    member_host(const member_host&) = delete;
    member_host& operator=(const member_host&) = delete;
    virtual ~member_host() = default;

    [[nodiscard]] const limits& allowed() const noexcept { return limits_; }
    [[nodiscard]] counters& counted() noexcept { return counters_; }
    /// Calls m.deliver() when this turn ends.
    virtual void deliver_later(member& m) noexcept = 0;

 protected:
    explicit member_host(const limits& l) noexcept : limits_{l} {}

 private:
    const limits& limits_;
    counters counters_;
};

/// Everything that goes to a member goes through this operation: straight from the log of its room,
/// or from a few private lines of its own, never in the middle of a line of the other kind. It is
/// submitted without a waiter, and again whenever there is more. Thread of its shard.
class member final : public io::op,
                     public list_hook<room_members_tag>,
                     public list_hook<waiting_members_tag> {
 public:
    /// Both outlive it.
    member(member_host& host, net::connection& peer) noexcept;
    ~member();

    /// 0 until it was admitted.
    [[nodiscard]] member_id id() const noexcept { return entry_.id(); }
    [[nodiscard]] const std::string& name() const noexcept { return entry_.name(); }
    /// What the directory knows of it.
    [[nodiscard]] directory::entry& entry() noexcept { return entry_; }
    /// True once its room was told of it, or could have been: until then nobody is told of its
    /// names, rooms and end.
    [[nodiscard]] bool has_arrived() const noexcept { return arrived_; }
    void arrive() noexcept { arrived_ = true; }
    /// Whether this peer wants a newline after each message. One that the last message lacks is
    /// sent when the peer turns out to want it.
    void want_newlines(bool wanted) noexcept {
        terminated_ = wanted;
        if (wanted && open_) send_late_newline();
    }

    /// A line for this member alone, which gets its newline here. Beyond the limit, or without
    /// memory for it, it is dropped and counted.
    void tell(std::string_view line) noexcept { tell(line, "\n"); }
    /// The same for bytes that end otherwise.
    void tell(std::string_view bytes, std::string_view end) noexcept;

    /// Reads `r` from `start` on.
    void enter(room& r, position start) noexcept;
    /// Reads no room any more. The rest of a line that it has begun is kept for it.
    void leave() noexcept;
    [[nodiscard]] room* where() const noexcept { return room_; }
    /// What it wrote up to `to` will not come back to it.
    void wrote_until(position to) noexcept { own_end_ = to; }
    /// What lies before `end` was said before it came: announcements there are left out, and it is
    /// told where that ends.
    void read_history_until(position end) noexcept { history_end_ = end; }
    [[nodiscard]] position cursor() const noexcept { return cursor_; }
    /// Goes on at `target`, further ahead, after the line it is in the middle of. Gives how many
    /// messages it missed. It is told once it reads again, however often that happened.
    std::size_t skip_to(position target) noexcept;

    /// Has to go: it gets `why` after what private lines it has, and its reader is called off.
    void dismiss(std::string_view why) noexcept;
    /// Has to go, but first gets what was said until now, then `farewell`, which is not copied.
    /// rest_sent() is when it has.
    void see_out(std::string_view farewell) noexcept;
    /// True while it is seen out.
    [[nodiscard]] bool is_seen_out() const noexcept { return !farewell_.empty(); }
    [[nodiscard]] bool dismissed() const noexcept { return dismissed_; }
    /// Its connection has failed, or was ended here: nothing more is sent.
    [[nodiscard]] bool broken() const noexcept { return broken_; }
    /// Ends the connection both ways without another word.
    void hang_up() noexcept;
    /// The same for lack of memory, which is counted.
    void give_up() noexcept;

    /// Sends what there is to send, if it is not at it already.
    void deliver() noexcept;
    /// `co_await m.rest_sent()`: until nothing is left to be sent. fault::cancelled.
    [[nodiscard]] auto rest_sent() noexcept { return rest_awaiter{*this}; }

    /// True if it has taken something since it was last asked, or nothing waits for it.
    [[nodiscard]] bool has_moved() noexcept;
    /// When it was last seen to move.
    io::time_point moved_at;

 private:
    struct rest_awaiter {
        member& owner;
        [[nodiscard]] static bool await_ready() noexcept { return false; }
        template <class Promise>
        bool await_suspend(std::coroutine_handle<Promise> h) const noexcept {
            return owner.begin_wait(h, h.promise().current_context());
        }
        [[nodiscard]] result<void> await_resume() const noexcept {
            if (owner.raw_result() < 0) return failure(error_of(owner.raw_result()));
            return {};
        }
        void cancel() const noexcept { owner.cancel(); }
    };
    struct private_lines {
        std::string text;
        std::size_t sent = 0;
    };
    /// What is sent next, and where the cursor stands once it is.
    struct piece {
        std::string_view bytes;
        position to = 0;
        bool own = false;
        bool open = false;  // the newline at its end is left out
    };

    [[nodiscard]] piece next_piece();
    [[nodiscard]] piece next_piece_or_end() noexcept;
    [[nodiscard]] position pass_hidden() noexcept;
    [[nodiscard]] piece without_last_newline(piece p) const noexcept;
    [[nodiscard]] bool between_lines() const noexcept;
    [[nodiscard]] private_lines& outbox();
    template <class F>
    void or_give_up(F f) noexcept {
        try {
            f();
        } catch (const std::bad_alloc&) {
            give_up();
        }
    }
    void send_late_newline() noexcept;
    void keep_rest_of_line() noexcept;
    void tell_missed();
    static int attempt(op& o) noexcept;
    static io::verdict complete(op& o, const io::completion& c) noexcept;
    static const io::op_kind kind_;

    member_host& host_;
    net::connection& peer_;
    directory::entry entry_;
    std::unique_ptr<private_lines> outbox_;
    room* room_ = nullptr;
    position cursor_ = 0;
    position own_end_ = 0;
    position history_end_ = 0;
    position last_ = 0;  // it is seen out with what lies before
    std::string_view farewell_;
    std::size_t missed_ = 0;  // lines that it was not told of yet
    position sending_to_ = 0;
    std::uint32_t sending_ = 0;  // bytes
    bool sending_own_ = false;
    bool full_ = false;  // the kernel has just taken less than it was given
    bool terminated_ = true;
    bool sending_open_ = false;  // without the newline at its end
    bool open_ = false;          // the last message has gone out so
    bool broken_ = false;
    bool dismissed_ = false;
    bool moved_ = false;
    bool arrived_ = false;
};

}  // namespace sluice::chat
