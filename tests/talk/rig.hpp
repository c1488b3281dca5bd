// A desk for tests: its keyboard and its screen are sockets, and its remarks are kept.
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
#include "sluice/term/desk.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::talk {

// For gtest.
inline void PrintTo(parting how, std::ostream* out) {
    constexpr std::array<std::string_view, 9> names{
        "they_said_exit",  "we_said_exit",  "input_ended",      "they_went_away", "they_talk_long",
        "keyboard_failed", "screen_failed", "they_keep_silent", "interrupted"};
    *out << names[static_cast<std::size_t>(how)];
}
inline void PrintTo(talk_end how, std::ostream* out) {
    constexpr std::array<std::string_view, 4> names{"done", "peer_gone", "failed", "stopped"};
    *out << names[static_cast<std::size_t>(how)];
}

}  // namespace sluice::talk

namespace sluice::test {

/// Sits on `home`, and lives no longer.
class desk_rig {
 public:
    explicit desk_rig(io::engine& home, std::size_t max_line = std::size_t{64} * 1024)
        : keyboard_{local_pair()},
          screen_{local_pair()},
          input_{open(home, keyboard_.ours.get())},
          output_{open(home, screen_.ours.get())},
          desk_{input_.get(), *output_, remarks(), max_line} {
        // As in a program that talks: a screen that goes away is an error of the write.
        std::signal(SIGPIPE, SIG_IGN);
    }
    desk_rig(const desk_rig&) = delete;
    desk_rig& operator=(const desk_rig&) = delete;
    ~desk_rig() = default;

    [[nodiscard]] term::desk& get() { return desk_; }

    void type(std::string_view text) const { write_all(keyboard_.theirs.get(), text); }
    void end_input() const { ::shutdown(keyboard_.theirs.get(), SHUT_WR); }
    /// Nobody looks at the screen any more.
    void close_screen() { screen_.theirs.reset(); }
    /// What was shown since the last call.
    [[nodiscard]] std::string shown() const { return read_what_is_there(screen_.theirs.get()); }
    /// What was typed and not read yet.
    [[nodiscard]] std::string left_in_keyboard() const {
        return read_what_is_there(keyboard_.ours.get());
    }

    std::string notes;       ///< a line each
    std::string complaints;  ///< a line each
    int prompts = 0;

 private:
    static std::unique_ptr<term::console> open(io::engine& home, int fd) {
        return std::move(term::console::open(home, fd).value());
    }
    term::remarks remarks() {
        return {.note = [this](std::string_view what) { (notes += what) += '\n'; },
                .complaint = [this](std::string_view what) { (complaints += what) += '\n'; },
                .prompt = [this] { ++prompts; },
                .answered = {}};
    }

    socket_pair keyboard_;
    socket_pair screen_;
    std::unique_ptr<term::console> input_;
    std::unique_ptr<term::console> output_;
    term::desk desk_;
};

}  // namespace sluice::test
