// Results go to stdout, and what stdout does not take is noticed.
#pragma once

#include <functional>
#include <string_view>

#include "sluice/chat/server/transcript.hpp"

namespace sluice::cli {

/// Adds `text` to what flush_results() writes to stdout; a large rest is written at once. An error
/// is kept for finish_output(). Main thread, in commands that nobody else waits for: it waits for
/// the reader, until a signal asks the program to stop (stop_was_asked()).
void print(std::string_view text);
void flush_results();

/// Writes text to stderr as it is, such as a progress bar. Any thread; never waits (output_queue).
void show_on_stderr(std::string_view text) noexcept;

/// Gives lines to stdout, each whole and at once, from any thread or process, none of which waits
/// for a reader (output_queue). With `quiet`, drops them.
[[nodiscard]] std::function<void(std::string_view)> lines_to_stdout(bool quiet);

/// The same for a chat.
class transcript_on_stdout final : public chat::transcript {
 public:
    void add(std::string_view lines) noexcept override;
};

/// Flushes stdout and stderr, a moment at most where they are not read. The errno of the first
/// write of a result that failed since the program began, or 0.
[[nodiscard]] int finish_output();

}  // namespace sluice::cli
