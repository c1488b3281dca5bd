// Defines chat_ui, the interface of chat_client to its user: line input, line output and status.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"

namespace sluice::chat {

/// Used on one thread; next_line() and show() may be awaited at the same time.
class chat_ui {
 public:
    chat_ui() = default;
    chat_ui(const chat_ui&) = delete;
    chat_ui& operator=(const chat_ui&) = delete;
    virtual ~chat_ui() = default;

    /// The next line without its end, or none once the input has ended. A line over the limit is
    /// dropped and reported. One call at a time. fault::cancelled; the errno of read(2).
    [[nodiscard]] virtual coro::task<result<std::optional<std::string>>> next_line() = 0;

    /// Shows one line of any bytes, escaped with wire::printable. One call at a time. The errno of
    /// write(2); fault::cancelled.
    [[nodiscard]] virtual coro::task<result<void>> show(std::string_view line) = 0;

    /// Report an event, or an error, beside the shown lines. `what` is printable.
    virtual void report_event(std::string_view what) = 0;
    virtual void report_error(std::string_view what) = 0;

    /// The UI's background task; runs until finish() or until it is cancelled.
    [[nodiscard]] virtual coro::task<void> run() = 0;
    /// Returns once all output is written, or after a short timeout.
    [[nodiscard]] virtual coro::task<void> finish() = 0;

    /// True if the last line of next_line() is one of several entered at once, such as pasted text;
    /// it is then text and no command.
    [[nodiscard]] virtual bool is_one_of_several() const noexcept { return false; }

    /// True if a user types the lines and sees the replies; false for a file or a pipe.
    [[nodiscard]] virtual bool is_typed() const noexcept = 0;
};

}  // namespace sluice::chat
