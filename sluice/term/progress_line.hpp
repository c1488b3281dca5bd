// Defines progress_line, a line on stderr that is drawn over and over, and the bar to show in it.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace sluice::term {

/// "[====......]": `share`, from 0 to 1, of `width` columns between the brackets is filled.
[[nodiscard]] std::string progress_bar(double share, std::size_t width, bool colour = false);

/// The last line of the terminal on stderr. One thread, or one at a time.
class progress_line {
 public:
    /// Writes text to stderr. Must not block on a slow reader.
    using sink = std::function<void(std::string_view)>;

    explicit progress_line(sink write);
    progress_line(const progress_line&) = delete;
    progress_line& operator=(const progress_line&) = delete;
    /// Clears the line.
    ~progress_line() { clear(); }

    /// Whether there is something to draw on: a sink, and a terminal other than `dumb`.
    [[nodiscard]] bool can_draw() const noexcept { return can_draw_; }
    /// Columns that a line may have in the window of this moment.
    [[nodiscard]] static std::size_t width() noexcept;
    /// Replaces the line by `text`, which has at most width() columns and no newline.
    void draw(std::string_view text);
    void clear();

 private:
    sink write_;
    bool can_draw_;
    bool drawn_ = false;
};

}  // namespace sluice::term
