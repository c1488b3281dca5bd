// Implements member: what is sent next of a room's log and of the member's private lines.
#include "sluice/chat/server/member.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <new>
#include <utility>

#include "sluice/base/planted_bug.hpp"
#include "sluice/base/sometimes.hpp"
#include "sluice/chat/server/room.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::chat {
namespace {

// In bytes, so that a member far behind does not delay the others.
constexpr std::size_t max_send = std::size_t{256} * 1024;

}  // namespace

member::member(member_host& host, net::connection& peer) noexcept
    : send_pieces{peer.engine(), peer.fd(), peer.layer()},
      progress_at{peer.engine().now()},
      host_{host},
      peer_{peer} {}

member::~member() {
    list_hook<room_members_tag>::unlink();
    list_hook<waiting_members_tag>::unlink();
}

member::private_lines& member::outbox() {
    if (!outbox_) outbox_ = std::make_unique<private_lines>();
    return *outbox_;
}

void member::send_late_newline() noexcept {
    unterminated_ = false;
    // No piece is partly sent, so this is sent next.
    or_give_up([this] { outbox().text.insert(0, wire::message_end(true)); });
    host_.deliver_later(*this);
}

void member::send_private(std::string_view bytes, std::string_view end) noexcept {
    if (broken_ || dismissed_) return;
    try {
        auto& text = outbox().text;
        const std::size_t whole = text.size() + bytes.size() + end.size();
        if (whole > host_.allowed().max_private) {
            ++host_.counted().private_lost;
            sometimes(rare_path::chat_private_dropped);
            return;
        }
        if (whole > text.capacity()) text.reserve(std::max(whole, 2 * text.capacity()));
        text.append(bytes).append(end);
    } catch (const std::bad_alloc&) {
        ++host_.counted().no_memory;
        return;
    }
    host_.deliver_later(*this);
}

bool member::ignore(member_id whom, std::size_t most) {
    auto& all = moderation().ignored;
    if (ignores(whom)) return true;
    if (all.size() >= most) return false;
    all.push_back(whom);
    return true;
}

bool member::unignore(member_id whom) noexcept {
    return moderation_ && std::erase(moderation_->ignored, whom) > 0;
}

void member::enter(room& r, position start) noexcept {
    room_ = &r;
    cursor_ = start;
    own_end_ = history_end_ = 0;
}

void member::leave() noexcept {
    list_hook<room_members_tag>::unlink();
    keep_rest_of_line();
    room_ = nullptr;
    cursor_ = own_end_ = history_end_ = 0;
}

bool member::between_lines() const noexcept {
    return room_ == nullptr || room_->lines().starts_line(cursor_);
}

// Moves the rest of a partly sent line to the private lines.
void member::keep_rest_of_line() noexcept {
    if (between_lines()) return;
    sometimes(rare_path::chat_rest_of_line);
    const log& lines = room_->lines();
    const position end = lines.line_start_from(cursor_);
    or_give_up([&] { outbox().text.insert(0, lines.view(cursor_, end)); });
    cursor_ = end;
}

member::piece member::without_last_newline(piece p) const noexcept {
    p.unterminated = !terminated_ && p.bytes.size() > 1 && p.bytes.back() == '\n';
    if (p.unterminated) p.bytes.remove_suffix(1);
    return p;
}

member::piece member::choose_piece() {
    for (;;) {
        if (outbox_ && (outbox_->sent > 0 || between_lines())) {
            const auto rest = std::string_view{outbox_->text}.substr(outbox_->sent);
            return without_last_newline({.bytes = rest, .own = true});
        }
        if (dismissed_ && !is_flushing()) return {};
        if (missed_ > 0) {
            report_missed();
            continue;
        }
        if (room_ == nullptr) return {};
        if (history_end_ != 0 && cursor_ >= history_end_) {
            history_end_ = 0;
            outbox().text.append("* that was said before you came\n");
            continue;
        }
        const position to = skip_hidden();
        if (to == cursor_) {
            if (history_end_ != 0) continue;
            if (!is_flushing()) return {};
            flushing_ = false;
            outbox().text.append(host_.farewell()).push_back('\n');
            continue;
        }
        const auto p = without_last_newline({.bytes = room_->lines().view(cursor_, to), .to = to});
        // Only the newline is left of the last line, and this peer reads unterminated messages.
        if (terminated_ || p.bytes != "\n") return p;
        cursor_ = to;
    }
}

const_bytes member::next_piece() noexcept {
    if (broken_) return {};
    try {
        const piece p = choose_piece();
        sending_to_ = p.to;
        sending_own_ = p.own;
        sending_unterminated_ = p.unterminated;
        return as_bytes(p.bytes);
    } catch (const std::bad_alloc&) {
        give_up();
        return {};
    }
}

// Moves the cursor past lines hidden from this member; returns the end of the lines to send.
position member::skip_hidden() noexcept {
    const log& lines = room_->lines();
    const bool in_history = history_end_ != 0;
    const position end = is_flushing() ? flush_end_ : lines.end();
    const position last = in_history ? history_end_ : end;
    while (cursor_ < last) {
        const position to = std::min(last, cursor_ + max_send);
        const bool ignores_some = moderation_ && !moderation_->ignored.empty();
        if (!in_history && own_end_ <= cursor_ && !ignores_some) return to;
        const auto hidden = lines.find_stretch(cursor_, [&](author by) {
            if (ignores_some && ignores(by.who())) return true;
            return in_history ? by.is_announcement() : by.hidden_from(id());
        });
        if (hidden.from > cursor_) return std::min(to, hidden.from);
        cursor_ = std::min(hidden.to, last);
    }
    return cursor_;
}

std::size_t member::skip_to(position target) noexcept {
    if (!planted(bug::chat_half_line)) keep_rest_of_line();
    const std::size_t missed = room_->lines().lines_by_others(id(), cursor_, target);
    cursor_ = std::max(cursor_, target);
    if (history_end_ != 0 && history_end_ <= cursor_) history_end_ = 0;
    missed_ += planted(bug::chat_missed_too_few) ? missed / 2 : missed;
    return missed;
}

void member::report_missed() {
    if (missed_ == 0) return;
    outbox().text.append(
        fmt::format("* you missed {} message{}\n", missed_, missed_ == 1 ? "" : "s"));
    missed_ = 0;
}

void member::dismiss(std::string_view why) noexcept {
    if (std::exchange(dismissed_, true)) return;
    keep_rest_of_line();
    or_give_up([this, why] {
        report_missed();
        outbox().text.append(why).push_back('\n');
    });
    host_.deliver_later(*this);
    peer_.recv().cancel();
}

void member::flush_and_close() noexcept {
    if (room_ == nullptr) return dismiss(host_.farewell());
    if (std::exchange(dismissed_, true)) return;
    flushing_ = true;
    flush_end_ = room_->lines().end();
    sometimes(rare_path::chat_farewell_after_lines, cursor_ < flush_end_);
    host_.deliver_later(*this);
    peer_.recv().cancel();
}

void member::give_up() noexcept {
    if (broken_) return;
    ++host_.counted().no_memory;
    hang_up();
}

void member::hang_up() noexcept {
    broken_ = true;
    os::sys().shutdown(fd(), SHUT_RDWR);
}

bool member::made_progress() noexcept {
    return std::exchange(progressed_, false) || !in_flight();
}

void member::on_sent(std::size_t n, bool whole) noexcept {
    progressed_ = true;
    host_.counted().sent_bytes += n;
    if (told_) told_->sent += n;
    unterminated_ = whole && sending_unterminated_;
    if (!sending_own_) {
        cursor_ = whole ? sending_to_ : cursor_ + n;
        if (planted(bug::chat_cursor_off_by_one) && !whole) ++cursor_;
    } else if (whole) {
        outbox_.reset();
    } else {
        outbox_->sent += n;
    }
}

std::string member::with_id(std::string_view sentence) const {
    std::string all{sentence};
    if (told_) {
        all += " (session ";
        all += model::event_id_text{told_->span.id()}.view();
        all += ')';
    }
    return all;
}

void member::keep_last_room() {
    if (told_ && room_ != nullptr) told_->room = room_->name();
}

void member::tell_end(bool admitted) const noexcept {
    if (!told_) return;
    model::access_event e{.kind = model::access_kind::session,
                          .what = told_->room,
                          .received = told_->received,
                          .sent = told_->sent};
    if (account_) e.user = account_->name;
    if (!admitted) {
        e.reason = "refused";
    } else if (broken_) {
        e.reason = "lost";
    }
    told_->span.end(e);
}

void member::on_send_error() noexcept {
    if (broken_) return;
    ++host_.counted().broken;
    hang_up();
}

}  // namespace sluice::chat
