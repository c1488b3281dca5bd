// Defines terminal_ui: line input from a keyboard, line output to a screen, status callbacks.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/term/console.hpp"

namespace sluice::term {

/// Status of a conversation: each call passes one printable line without its end. Called on the
/// engine's thread; must not throw. Each may be empty.
struct status_callbacks {
    std::function<void(std::string_view)> on_event;  ///< an event
    std::function<void(std::string_view)> on_error;  ///< an error
    std::function<void()> prompt;                    ///< a line is awaited from the keyboard
    std::function<void()> answered;                  ///< the line was typed
};

/// Reads typed lines one by one, also those typed ahead, and shows lines. Outlives its
/// conversations. One reader and one writer at a time.
class terminal_ui {
 public:
    /// The consoles outlive the UI. Without a keyboard the input is at its end. `max_line`: the
    /// longest line accepted, in bytes, its end not counted.
    terminal_ui(term::console* keyboard, term::console& screen, status_callbacks callbacks,
                std::size_t max_line);
    /// Without input; `screen` takes whole lines without their ends and must not block. For a
    /// server that answers by itself, whose clients must not wait for the reader of its stdout.
    terminal_ui(std::function<void(std::string_view)> screen, status_callbacks callbacks);

    /// The next line without its end, or none once the input has ended; a last line needs no
    /// newline. A line over the limit is dropped and reported. Valid until the next call.
    /// fault::cancelled, which loses nothing; the errno of read(2).
    [[nodiscard]] coro::task<result<std::optional<std::string_view>>> next_line();

    /// Writes `prefix`, then `text` made printable (wire::printable), and a newline. The errno of
    /// write(2), for example EPIPE; fault::cancelled.
    [[nodiscard]] coro::task<result<void>> show(std::string_view prefix, std::string_view text);

    void report_event(std::string_view text) const;
    void report_error(std::string_view text) const;
    void prompt() const;

 private:
    [[nodiscard]] std::optional<std::string_view> take_line();

    term::console* keyboard_ = nullptr;
    term::console* screen_ = nullptr;
    std::function<void(std::string_view)> write_line_;
    status_callbacks callbacks_;
    std::size_t max_line_ = 0;
    std::string typed_;  // read and not yet returned, from begin_ on
    std::size_t begin_ = 0;
    bool too_long_ = false;  // the input up to the next newline is dropped
    bool ended_ = false;
    std::string shown_;
};

}  // namespace sluice::term
