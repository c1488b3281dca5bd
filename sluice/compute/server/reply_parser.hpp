// Defines reply_parser, which separates a line program's answers from unasked lines; no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sluice::compute {

/// Parses the stdout of a program that answers one line with one line. A question is written in two
/// steps, its text and then its newline. Before the newline no line of the program is an answer;
/// after it, the first line is the answer and every other line is unasked. The same bytes within a
/// step give the same result however they are split. One thread.
class reply_parser {
 public:
    /// `max_line`: longest answer accepted, in bytes, its line end not counted.
    explicit reply_parser(std::size_t max_line) noexcept : max_line_{max_line} {}

    /// The text of a question is being written. The parser keeps a copy.
    void begin(std::string_view text);
    /// The program has read the text, and its newline is written next. Drops an incomplete line
    /// printed since begin(), such as a prompt; keeps it as the beginning of the answer if it
    /// repeats the question's beginning, as a program that copies its input (cat) prints it.
    void ask();
    /// Parses bytes that the program printed.
    void feed(std::string_view bytes);

    /// True from the newline of the answer until take_answer().
    [[nodiscard]] bool answered() const noexcept { return step_ == step::answered; }
    /// The answer without its line end ("\n" or "\r\n"). Requires answered().
    [[nodiscard]] std::string take_answer();
    /// True once the answer is longer than `max_line`; the program cannot be used further.
    [[nodiscard]] bool too_long() const noexcept { return too_long_; }

    /// Complete lines since the last call that were no answer.
    [[nodiscard]] std::uint64_t take_unasked_lines() noexcept {
        return std::exchange(unasked_lines_, 0);
    }
    [[nodiscard]] bool has_unasked_lines() const noexcept { return unasked_lines_ > 0; }
    /// Bytes since the last take_answer() that were no answer.
    [[nodiscard]] std::uint64_t unasked_bytes() const noexcept { return unasked_bytes_; }

 private:
    enum class step : std::uint8_t { idle, begun, asked, answered };

    void feed_unasked(std::string_view bytes);

    std::size_t max_line_;
    step step_ = step::idle;
    bool too_long_ = false;
    std::string line_;                   // the question's text until ask(), then the answer
    std::optional<std::size_t> copied_;  // bytes of the text printed back; none: other bytes
    std::uint64_t unasked_lines_ = 0;
    std::uint64_t unasked_bytes_ = 0;
};

}  // namespace sluice::compute
