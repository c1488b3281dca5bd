// Defines plain_ui: a chat_ui that reads and writes plain lines, for pipes and files.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/chat/client/chat_ui.hpp"
#include "sluice/term/console.hpp"
#include "sluice/term/terminal_ui.hpp"

namespace sluice::chat {

/// Reads lines from one console and writes lines to another, without escape sequences.
class plain_ui final : public chat_ui {
 public:
    /// `typed`: the keyboard is a terminal, whose lines the kernel edits. The consoles outlive the
    /// UI. `max_line` in bytes. Of the callbacks, only those of events and errors are used.
    plain_ui(term::console& keyboard, term::console& screen, term::status_callbacks callbacks,
             std::size_t max_line, bool typed)
        : ui_{&keyboard, screen, std::move(callbacks), max_line}, typed_{typed} {}

    [[nodiscard]] coro::task<result<std::optional<std::string>>> next_line() override;
    [[nodiscard]] coro::task<result<void>> show(std::string_view line) override;
    void report_event(std::string_view text) override { ui_.report_event(text); }
    void report_error(std::string_view text) override { ui_.report_error(text); }
    [[nodiscard]] coro::task<void> run() override { co_return; }
    [[nodiscard]] coro::task<void> finish() override { co_return; }
    [[nodiscard]] bool is_typed() const noexcept override { return typed_; }

 private:
    term::terminal_ui ui_;
    bool typed_;
};

}  // namespace sluice::chat
