// Where a person who talks sits: a keyboard, a screen, and remarks beside them.
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

/// What is said beside the conversation: a line each, without its end, fit for a terminal. Called
/// on the engine's thread; they must not throw. Each may be empty.
struct remarks {
    std::function<void(std::string_view)> note;       ///< what happens
    std::function<void(std::string_view)> complaint;  ///< what went wrong
    std::function<void()> prompt;                     ///< a line is wanted
    std::function<void()> answered;                   ///< and has been typed
};

/// Gives the lines that were typed, one by one, whenever they were typed, and shows lines. Outlives
/// the conversations held at it. One reader and one writer at a time.
class desk {
 public:
    /// The consoles outlive the desk. Without a keyboard the input is at its end. `max_line`: the
    /// longest line taken, in bytes, its end not counted.
    desk(term::console* keyboard, term::console& screen, remarks beside, std::size_t max_line);
    /// Nobody types here, and `screen` takes whole lines without their ends and never waits: for a
    /// server that answers by itself, whose clients do not wait for a reader of its stdout.
    desk(std::function<void(std::string_view)> screen, remarks beside);

    /// The next line without its end, or none at the end of input, for good. A last line that
    /// nobody ended is one too. One that is too long is left out, and that is said. Valid until the
    /// next call. fault::cancelled, which loses nothing; the errno of read(2).
    [[nodiscard]] coro::task<result<std::optional<std::string_view>>> next_line();

    /// Writes `before`, then `text` as a terminal may show it (wire::printable), and ends the line.
    /// The errno of write(2), EPIPE for one; fault::cancelled.
    [[nodiscard]] coro::task<result<void>> show(std::string_view before, std::string_view text);

    void note(std::string_view what) const;
    void complain(std::string_view what) const;
    void prompt() const;

 private:
    [[nodiscard]] std::optional<std::string_view> take_line();

    term::console* keyboard_ = nullptr;
    term::console* screen_ = nullptr;
    std::function<void(std::string_view)> lines_out_;
    remarks beside_;
    std::size_t max_line_ = 0;
    std::string typed_;  // read and not given yet, from begin_ on
    std::size_t begin_ = 0;
    bool too_long_ = false;  // what is typed up to the next line end belongs to such a line
    bool ended_ = false;
    std::string shown_;
};

}  // namespace sluice::term
