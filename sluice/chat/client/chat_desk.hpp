// Where a member of a chat sits: lines come from there, and lines are shown there, at any time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"

namespace sluice::chat {

/// What a chat_client talks with. On one thread, which awaits next_line() while it shows.
class chat_desk {
 public:
    chat_desk() = default;
    chat_desk(const chat_desk&) = delete;
    chat_desk& operator=(const chat_desk&) = delete;
    virtual ~chat_desk() = default;

    /// The next line without its end, or none at the end of input, for good. One that is too long
    /// is left out, and that is said. One at a time. fault::cancelled; the errno of read(2).
    [[nodiscard]] virtual coro::task<result<std::optional<std::string>>> next_line() = 0;

    /// Shows one line, which may hold anything; it is escaped as wire::printable does. One at a
    /// time. The errno of write(2); fault::cancelled.
    [[nodiscard]] virtual coro::task<result<void>> show(std::string_view line) = 0;

    /// Says what happens, or what went wrong, beside what is shown. `what` is fit for a terminal.
    virtual void note(std::string_view what) = 0;
    virtual void complain(std::string_view what) = 0;

    /// What the desk does beside all this; runs until finish() or until it is cancelled.
    [[nodiscard]] virtual coro::task<void> run() = 0;
    /// Returns when all is shown that is to be shown, or after a short while.
    [[nodiscard]] virtual coro::task<void> finish() = 0;

    /// Whether the line that next_line() gave last is one of several that were entered at once, as
    /// pasted text is: then it is text, whatever it says.
    [[nodiscard]] virtual bool is_one_of_several() const noexcept { return false; }

    /// Whether somebody types, who looks at the answers, rather than a file or a pipe.
    [[nodiscard]] virtual bool is_typed() const noexcept = 0;
};

}  // namespace sluice::chat
