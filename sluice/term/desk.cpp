// Lines in, lines out.
#include "sluice/term/desk.hpp"

#include <fmt/format.h>

#include <utility>

#include "sluice/wire/text.hpp"

namespace sluice::term {

desk::desk(term::console* keyboard, term::console& screen, remarks beside, std::size_t max_line)
    : keyboard_{keyboard}, screen_{&screen}, beside_{std::move(beside)}, max_line_{max_line} {}

desk::desk(std::function<void(std::string_view)> screen, remarks beside)
    : lines_out_{std::move(screen)}, beside_{std::move(beside)} {}

coro::task<result<std::optional<std::string_view>>> desk::next_line() {
    for (;;) {
        if (const auto line = take_line()) {
            if (beside_.answered) beside_.answered();
            co_return line;
        }
        if (keyboard_ == nullptr || ended_) co_return std::nullopt;
        const auto chunk = co_await keyboard_->recv();
        if (!chunk) co_return failure(chunk.error());
        ended_ = chunk->empty();
        if (!ended_) {
            typed_ += chunk->text();
        } else if (!typed_.empty()) {
            typed_ += '\n';
        }
    }
}

/// The next line of what has been read, if all of it is there.
std::optional<std::string_view> desk::take_line() {
    for (;;) {
        const auto end = typed_.find('\n', begin_);
        auto line = std::string_view{typed_}.substr(begin_, end - begin_);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.size() > max_line_ && !std::exchange(too_long_, true)) {
            complain(
                fmt::format("your line is longer than {} bytes, the limit (--max-line): it is "
                            "left out",
                            max_line_));
        }
        if (end == std::string::npos) {
            typed_.erase(0, too_long_ ? typed_.size() : begin_);
            begin_ = 0;
            return std::nullopt;
        }
        begin_ = end + 1;
        if (!std::exchange(too_long_, false)) return line;
    }
}

coro::task<result<void>> desk::show(std::string_view before, std::string_view text) {
    shown_.assign(before);
    wire::append_printable(shown_, text);
    if (screen_ == nullptr) {
        lines_out_(shown_);
        co_return result<void>{};
    }
    shown_ += '\n';
    auto written = co_await screen_->send_all(shown_);
    if (!written) co_return failure(written.error());
    co_return result<void>{};
}

void desk::note(std::string_view what) const {
    if (beside_.note) beside_.note(what);
}

void desk::complain(std::string_view what) const {
    if (beside_.complaint) beside_.complaint(what);
}

void desk::prompt() const {
    if (beside_.prompt) beside_.prompt();
}

}  // namespace sluice::term
