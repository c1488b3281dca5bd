// A terminal UI for tests: keyboard and screen are sockets; the status callbacks are recorded.
#pragma once

#include <sys/socket.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/io/engine.hpp"
#include "sluice/talk/conversation.hpp"
#include "sluice/talk/talk.hpp"
#include "sluice/term/console.hpp"
#include "sluice/term/terminal_ui.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::talk {

// For gtest.
inline void PrintTo(parting how, std::ostream* out) {
    constexpr std::array<std::string_view, 10> names{
        "they_said_exit",   "we_said_exit",    "input_ended",   "they_went_away",
        "they_talk_long",   "keyboard_failed", "screen_failed", "they_are_strangers",
        "they_keep_silent", "interrupted"};
    *out << names[static_cast<std::size_t>(how)];
}
inline void PrintTo(talk_end how, std::ostream* out) {
    constexpr std::array<std::string_view, 4> names{"done", "peer_gone", "failed", "stopped"};
    *out << names[static_cast<std::size_t>(how)];
}

}  // namespace sluice::talk

namespace sluice::test {

/// Owned by `engine`'s thread; destroy it before `engine`.
class test_ui {
 public:
    explicit test_ui(io::engine& engine, std::size_t max_line = std::size_t{64} * 1024)
        : keyboard_{local_pair()},
          screen_{local_pair()},
          input_{open(engine, keyboard_.ours.get())},
          output_{open(engine, screen_.ours.get())},
          ui_{input_.get(), *output_, status_callbacks(), max_line} {
        // As in a program that talks: a screen that goes away is an error of the write.
        std::signal(SIGPIPE, SIG_IGN);
    }
    test_ui(const test_ui&) = delete;
    test_ui& operator=(const test_ui&) = delete;
    ~test_ui() = default;

    [[nodiscard]] term::terminal_ui& get() { return ui_; }

    void type(std::string_view text) const { write_all(keyboard_.theirs.get(), text); }
    void end_input() const { ::shutdown(keyboard_.theirs.get(), SHUT_WR); }
    /// Closes the far end of the screen, so that writes to it fail.
    void close_screen() { screen_.theirs.reset(); }
    /// What was shown since the last call.
    [[nodiscard]] std::string shown() const { return read_what_is_there(screen_.theirs.get()); }
    /// What was typed and not read yet.
    [[nodiscard]] std::string left_in_keyboard() const {
        return read_what_is_there(keyboard_.ours.get());
    }

    std::string notes;   ///< a line each
    std::string errors;  ///< a line each
    int prompts = 0;

 private:
    static std::unique_ptr<term::console> open(io::engine& engine, int fd) {
        return std::move(term::console::open(engine, fd).value());
    }
    term::status_callbacks status_callbacks() {
        return {.on_event = [this](std::string_view what) { (notes += what) += '\n'; },
                .on_error = [this](std::string_view what) { (errors += what) += '\n'; },
                .prompt = [this] { ++prompts; },
                .answered = {}};
    }

    socket_pair keyboard_;
    socket_pair screen_;
    std::unique_ptr<term::console> input_;
    std::unique_ptr<term::console> output_;
    term::terminal_ui ui_;
};

}  // namespace sluice::test
