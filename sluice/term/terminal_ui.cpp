// Implements terminal_ui: reads lines from a console and shows lines on another.
#include "sluice/term/terminal_ui.hpp"

#include <fmt/format.h>

#include <utility>

#include "sluice/wire/text.hpp"

namespace sluice::term {

terminal_ui::terminal_ui(term::console* keyboard, term::console& screen, status_callbacks callbacks,
                         std::size_t max_line)
    : keyboard_{keyboard},
      screen_{&screen},
      callbacks_{std::move(callbacks)},
      max_line_{max_line} {}

terminal_ui::terminal_ui(std::function<void(std::string_view)> screen, status_callbacks callbacks)
    : write_line_{std::move(screen)}, callbacks_{std::move(callbacks)} {}

coro::task<result<std::optional<std::string_view>>> terminal_ui::next_line() {
    for (;;) {
        if (const auto line = take_line()) {
            if (callbacks_.answered) callbacks_.answered();
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

/// The next complete line of the input read so far, if there is one.
std::optional<std::string_view> terminal_ui::take_line() {
    for (;;) {
        const auto end = typed_.find('\n', begin_);
        auto line = std::string_view{typed_}.substr(begin_, end - begin_);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.size() > max_line_ && !std::exchange(too_long_, true)) {
            report_error(
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

coro::task<result<void>> terminal_ui::show(std::string_view prefix, std::string_view text) {
    shown_.assign(prefix);
    wire::append_printable(shown_, text);
    if (screen_ == nullptr) {
        write_line_(shown_);
        co_return result<void>{};
    }
    shown_ += '\n';
    auto written = co_await screen_->send_all(shown_);
    if (!written) co_return failure(written.error());
    co_return result<void>{};
}

void terminal_ui::report_event(std::string_view text) const {
    if (callbacks_.on_event) callbacks_.on_event(text);
}

void terminal_ui::report_error(std::string_view text) const {
    if (callbacks_.on_error) callbacks_.on_error(text);
}

void terminal_ui::prompt() const {
    if (callbacks_.prompt) callbacks_.prompt();
}

}  // namespace sluice::term
