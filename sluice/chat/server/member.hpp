// Defines member: a chat member's cursor into its room's log, as a source of what is sent to it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/auth/authenticator.hpp"
#include "sluice/base/bytes.hpp"
#include "sluice/base/intrusive_list.hpp"
#include "sluice/chat/server/directory.hpp"
#include "sluice/chat/server/limits.hpp"
#include "sluice/chat/server/log.hpp"
#include "sluice/io/ops/send_pieces.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/model/access_log.hpp"
#include "sluice/net/connection.hpp"

namespace sluice::chat {

class member;
class room;
struct room_members_tag;
struct waiting_members_tag;

/// What members of a shard share: limits, counters, and delivery at the end of a turn.
class member_host {
 public:
    member_host(const member_host&) = delete;
    member_host& operator=(const member_host&) = delete;
    virtual ~member_host() = default;

    [[nodiscard]] const limits& allowed() const noexcept { return limits_; }
    [[nodiscard]] counters& counted() noexcept { return counters_; }
    /// The last line for members when the server ends; empty until then.
    [[nodiscard]] std::string_view farewell() const noexcept { return farewell_; }
    /// Calls m.deliver() at the end of this turn.
    virtual void deliver_later(member& m) noexcept = 0;

 protected:
    member_host(const limits& l, counters& c) noexcept : limits_{l}, counters_{c} {}
    /// `farewell` outlives the host.
    void set_farewell(std::string_view farewell) noexcept { farewell_ = farewell; }

 private:
    const limits& limits_;
    std::string_view farewell_;
    counters& counters_;
};

/// Sends all output of a member: from the log of its room without a copy, or from its private
/// lines, never in the middle of a line of the other kind. Submitted without a waiter whenever
/// there is output. Thread of its shard.
class member final : public io::send_pieces<member>,
                     public list_hook<room_members_tag>,
                     public list_hook<waiting_members_tag> {
 public:
    /// Both references outlive the member.
    member(member_host& host, net::connection& peer) noexcept;
    ~member();

    /// 0 until directory::admit().
    [[nodiscard]] member_id id() const noexcept { return entry_.id(); }
    [[nodiscard]] const std::string& name() const noexcept { return entry_.name(); }
    [[nodiscard]] directory::entry& entry() noexcept { return entry_; }
    /// The address that a trusted proxy has named, which outlives the member; null: the socket's.
    void set_announced(const net::address* client) noexcept { announced_ = client; }
    /// Where its client is. Errors of net::connection::peer().
    [[nodiscard]] result<net::address> address() const {
        if (announced_ != nullptr) return *announced_;
        return peer_.peer();
    }
    /// Whose account it uses; null, or without a name, for a client that has none.
    [[nodiscard]] const auth::identity* account() const noexcept { return account_.get(); }
    void set_account(std::shared_ptr<const auth::identity> who) noexcept {
        account_ = std::move(who);
    }
    /// Keeps what is told of its session at its end, if there is a log. Throws std::bad_alloc.
    void tell_to(model::access_log* to) {
        if (to == nullptr) return;
        told_ = std::make_unique<told_session>(
            model::access_span{to, address().value_or(net::address{})});
    }
    /// A sentence for a member that is refused, with the id of its session if that is told.
    [[nodiscard]] std::string with_id(std::string_view sentence) const;
    void count_received(std::size_t bytes) noexcept {
        if (told_) told_->received += bytes;
    }
    /// Its session ends in this room, if it is in one. Throws std::bad_alloc.
    void keep_last_room();
    /// Tells the session that has ended.
    void tell_end(bool admitted) const noexcept;
    /// False if it ignores `most` already.
    [[nodiscard]] bool ignore(member_id whom, std::size_t most);
    /// False if it did not ignore it.
    bool unignore(member_id whom) noexcept;
    [[nodiscard]] bool ignores(member_id whom) const noexcept {
        return moderation_ &&
               std::ranges::find(moderation_->ignored, whom) != moderation_->ignored.end();
    }
    /// Of an operator's /mute; in the past for most members.
    [[nodiscard]] io::time_point muted_until() const noexcept {
        return moderation_ ? moderation_->muted_until : io::time_point{};
    }
    void mute(io::time_point until) { moderation().muted_until = until; }

    /// True once its join was announced, or would have been in a room with other members; before
    /// that, no change of name or room, and no leave, is announced.
    [[nodiscard]] bool has_arrived() const noexcept { return arrived_; }
    void arrive() noexcept { arrived_ = true; }
    /// Sets whether this peer reads messages terminated by a newline. If the last message was sent
    /// without one, sends it now.
    void want_newlines(bool wanted) noexcept {
        terminated_ = wanted;
        if (wanted && unterminated_) send_late_newline();
    }

    /// Queues a private line and adds its newline. Beyond limits::max_private or without memory,
    /// drops and counts it.
    void send_private(std::string_view line) noexcept { send_private(line, "\n"); }
    /// The same with another end than a newline.
    void send_private(std::string_view bytes, std::string_view end) noexcept;

    /// Sets the room to read and the cursor in its log.
    void enter(room& r, position start) noexcept;
    /// Leaves the room. The rest of a partly sent line becomes private.
    void leave() noexcept;
    [[nodiscard]] room* where() const noexcept { return room_; }
    /// Its own lines before `to` are not sent back to it.
    void set_own_end(position to) noexcept { own_end_ = to; }
    /// Lines before `end` are history: announcements among them are skipped, and a private line
    /// marks their end.
    void set_history_end(position end) noexcept { history_end_ = end; }
    [[nodiscard]] position cursor() const noexcept { return cursor_; }
    /// Moves the cursor ahead to `target`, after the rest of a partly sent line. Returns the number
    /// of messages skipped; one private line reports their sum when the member reads again.
    std::size_t skip_to(position target) noexcept;

    /// Cancels reading from the peer; sends `why` after the private lines, and nothing more.
    void dismiss(std::string_view why) noexcept;
    /// Cancels reading from the peer; sends the lines said until now, then the host's farewell.
    /// rest_sent() waits for that.
    void flush_and_close() noexcept;
    /// True from flush_and_close() until the farewell is queued.
    [[nodiscard]] bool is_flushing() const noexcept { return flushing_; }
    [[nodiscard]] bool dismissed() const noexcept { return dismissed_; }
    /// True if the connection has failed or hang_up() was called; nothing more is sent.
    [[nodiscard]] bool broken() const noexcept { return broken_; }
    /// Shuts the connection down in both directions (shutdown(2)); drops unsent output.
    void hang_up() noexcept;
    /// hang_up() for lack of memory, which is counted.
    void give_up() noexcept;

    /// Begins to send, unless it is sending.
    void deliver() noexcept {
        if (!broken_) send_pending();
    }

    /// True if the peer has accepted bytes since the last call, or no output waits.
    [[nodiscard]] bool made_progress() noexcept;
    /// When made_progress() was last true, as the hub's sweep sets it.
    io::time_point progress_at;

 private:
    friend io::send_pieces<member>;
    struct private_lines {
        std::string text;
        std::size_t sent = 0;
    };
    /// The next bytes to send, and the cursor after they are sent.
    struct piece {
        std::string_view bytes;
        position to = 0;
        bool own = false;
        bool unterminated = false;  // without the newline at its end
    };

    [[nodiscard]] const_bytes next_piece() noexcept;
    void on_sent(std::size_t n, bool whole) noexcept;
    void on_send_error() noexcept;
    [[nodiscard]] piece choose_piece();
    [[nodiscard]] position skip_hidden() noexcept;
    [[nodiscard]] piece without_last_newline(piece p) const noexcept;
    [[nodiscard]] bool between_lines() const noexcept;
    [[nodiscard]] private_lines& outbox();
    struct moderated {
        std::vector<member_id> ignored;
        io::time_point muted_until{};
    };
    [[nodiscard]] moderated& moderation() {
        if (!moderation_) moderation_ = std::make_unique<moderated>();
        return *moderation_;
    }
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
    void report_missed();

    member_host& host_;
    net::connection& peer_;
    directory::entry entry_;
    struct told_session {
        explicit told_session(model::access_span begun) noexcept : span{begun} {}
        model::access_span span;
        std::uint64_t received = 0;
        std::uint64_t sent = 0;
        std::string room;
    };
    std::unique_ptr<told_session> told_;
    const net::address* announced_ = nullptr;
    std::shared_ptr<const auth::identity> account_;
    std::unique_ptr<private_lines> outbox_;
    std::unique_ptr<moderated> moderation_;
    room* room_ = nullptr;
    position cursor_ = 0;
    position own_end_ = 0;
    position history_end_ = 0;
    position flush_end_ = 0;  // flush_and_close() sends the lines before it
    std::size_t missed_ = 0;  // lines skipped and not reported yet
    position sending_to_ = 0;
    bool sending_own_ = false;
    bool terminated_ = true;
    bool sending_unterminated_ = false;  // without the newline at its end
    bool unterminated_ = false;          // the last message was sent without one
    bool broken_ = false;
    bool dismissed_ = false;
    bool progressed_ = false;
    bool arrived_ = false;
    bool flushing_ = false;
};

}  // namespace sluice::chat
