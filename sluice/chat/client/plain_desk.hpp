// A desk of plain lines: what is piped in goes out, and what comes in is piped on.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/chat/client/chat_desk.hpp"
#include "sluice/term/console.hpp"
#include "sluice/term/desk.hpp"

namespace sluice::chat {

/// Lines from one console to another, with nothing added.
class plain_desk final : public chat_desk {
 public:
    /// `typed`: a terminal is behind the keyboard, whose lines are edited by the kernel. The
    /// consoles outlive the desk. `max_line` in bytes. Of `beside`, note and complaint are used.
    plain_desk(term::console& keyboard, term::console& screen, remarks beside, std::size_t max_line,
               bool typed)
        : desk_{&keyboard, screen, std::move(beside), max_line}, typed_{typed} {}

    [[nodiscard]] coro::task<result<std::optional<std::string>>> next_line() override;
    [[nodiscard]] coro::task<result<void>> show(std::string_view line) override;
    void note(std::string_view what) override { desk_.note(what); }
    void complain(std::string_view what) override { desk_.complain(what); }
    [[nodiscard]] coro::task<void> run() override { co_return; }
    [[nodiscard]] coro::task<void> finish() override { co_return; }
    [[nodiscard]] bool is_typed() const noexcept override { return typed_; }

 private:
    desk desk_;
    bool typed_;
};

}  // namespace sluice::chat
