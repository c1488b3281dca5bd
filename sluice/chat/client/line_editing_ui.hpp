// Defines line_editing_ui: a chat_ui with a line editor on a terminal in raw mode.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/chat/client/chat_ui.hpp"
#include "sluice/coro/channel.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/term/console.hpp"
#include "sluice/term/line_editor.hpp"
#include "sluice/term/line_editor_view.hpp"

namespace sluice::chat {

/// Edits a line at the bottom of the terminal and shows received lines above it. One write erases
/// the typed line, adds all lines received since the last write, and draws the typed line again, so
/// that the terminal is consistent between writes and a burst costs one redraw. Needs an engine
/// that does not block. Thread of that engine.
class line_editing_ui final : public chat_ui {
 public:
    struct options {
        std::size_t max_line = std::size_t{64} * 1024;  ///< of a typed line, in bytes
        bool colour = false;                            ///< names in colour
        /// Receives status lines instead of this terminal; may be empty.
        std::function<void(std::string_view)> beside;
    };

    /// The consoles are the terminal, in raw mode, and outlive the UI.
    line_editing_ui(term::console& keyboard, term::console& screen, options o);

    [[nodiscard]] coro::task<result<std::optional<std::string>>> next_line() override;
    [[nodiscard]] coro::task<result<void>> show(std::string_view line) override;
    void report_event(std::string_view what) override;
    void report_error(std::string_view what) override;
    [[nodiscard]] coro::task<void> run() override;
    [[nodiscard]] coro::task<void> finish() override;
    [[nodiscard]] bool is_typed() const noexcept override { return true; }
    [[nodiscard]] bool is_one_of_several() const noexcept override {
        return last_is_one_of_several_;
    }

    /// The size of the window has changed; 0 if unknown.
    void resize(std::size_t columns, std::size_t rows);
    /// Output that erases the typed line, for other users of the terminal until draw_again().
    [[nodiscard]] std::string take_away();
    /// Draws the typed line again on a row of its own, after others have used the terminal.
    void draw_again();

 private:
    void write_status(std::string_view prefix, std::string_view what);
    void handle_input(std::string_view chunk);
    void wake() noexcept;
    void compose();
    coro::task<result<void>> wait_until_written() noexcept;

    term::console& keyboard_;
    term::console& screen_;
    options options_;
    term::line_editor editor_;
    term::line_editor_view view_;
    struct entered {
        std::string text;
        bool is_one_of_several = false;
    };
    std::deque<entered> typed_;
    bool last_is_one_of_several_ = false;
    io::time_point last_key_{};
    std::string output_;   // lines to show, with their ends
    std::string writing_;  // output of the current write
    error error_ = fault::ended;
    bool failed_ = false;
    bool finishing_ = false;
    bool is_writing_ = false;
    bool changed_ = true;  // the typed line must be redrawn
    coro::channel<char> wakeup_{1};
    coro::channel<char> space_{1};
    coro::channel<char> finished_{1};
};

}  // namespace sluice::chat
