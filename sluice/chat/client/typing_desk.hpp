// A desk on a terminal in raw mode: the line that is typed stays whole while others arrive.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/chat/client/chat_desk.hpp"
#include "sluice/coro/channel.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/term/console.hpp"
#include "sluice/term/line_editor.hpp"
#include "sluice/term/line_editor_view.hpp"

namespace sluice::chat {

/// Edits a line at the bottom of the terminal and shows what arrives above it. All that has come
/// together since the last write goes out in one: the typed line away, the new lines, the typed
/// line again; so between two writes the terminal is always in order, and a burst costs one
/// redrawing. Needs an engine that does not block. Thread of that engine.
class typing_desk final : public chat_desk {
 public:
    struct options {
        std::size_t max_line = std::size_t{64} * 1024;  ///< of what is typed, in bytes
        bool colour = false;                            ///< names in colour
        /// Takes a remark that is not to appear on this terminal; empty: it appears there.
        std::function<void(std::string_view)> beside;
    };

    /// The consoles are the terminal, in raw mode, and outlive the desk.
    typing_desk(term::console& keyboard, term::console& screen, options o);

    [[nodiscard]] coro::task<result<std::optional<std::string>>> next_line() override;
    [[nodiscard]] coro::task<result<void>> show(std::string_view line) override;
    void note(std::string_view what) override;
    void complain(std::string_view what) override;
    [[nodiscard]] coro::task<void> run() override;
    [[nodiscard]] coro::task<void> finish() override;
    [[nodiscard]] bool is_typed() const noexcept override { return true; }
    [[nodiscard]] bool is_one_of_several() const noexcept override {
        return given_is_one_of_several_;
    }

    /// The window has changed.
    void resize(std::size_t columns, std::size_t rows);
    /// What takes the typed line off the terminal, for somebody else to use it until draw_again().
    [[nodiscard]] std::string take_away();
    /// Somebody else has used the terminal meanwhile: draws the line anew, on a row of its own.
    void draw_again();

 private:
    void remark(std::string_view before, std::string_view what);
    void take(std::string_view chunk);
    void ring() noexcept;
    void compose();
    coro::task<result<void>> all_is_out() noexcept;

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
    bool given_is_one_of_several_ = false;
    io::time_point last_key_{};
    std::string news_;     // lines to be shown, with their ends
    std::string writing_;  // what is being written
    error trouble_ = fault::ended;
    bool failed_ = false;
    bool finishing_ = false;
    bool writing_now_ = false;
    bool changed_ = true;  // the typed line is not as it is drawn
    coro::channel<char> bell_{1};
    coro::channel<char> room_{1};
    coro::channel<char> out_{1};
};

}  // namespace sluice::chat
