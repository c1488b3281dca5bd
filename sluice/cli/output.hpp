// Writes results to stdout, and reports output that stdout did not take.
#pragma once

#include <functional>
#include <string_view>

#include "sluice/chat/server/transcript.hpp"

namespace sluice::cli {

/// Buffers `text`; flush_results() writes the buffer to stdout, and a large one is written at once.
/// finish_output() returns the error. Main thread, in commands that do nothing else meanwhile: a
/// write waits for the reader, until a signal asks the program to stop (stop_was_asked()).
void print(std::string_view text);
void flush_results();

/// Queues text for stderr as it is, such as a progress bar. Any thread; never waits (output_queue).
void show_on_stderr(std::string_view text) noexcept;

/// A function that queues a line for stdout, whole, from any thread or process, without waiting for
/// the reader (output_queue). With `quiet` it drops the line.
[[nodiscard]] std::function<void(std::string_view)> lines_to_stdout(bool quiet);

/// Writes the transcript of a chat in the same way.
class transcript_on_stdout final : public chat::transcript {
 public:
    void add(std::string_view lines) noexcept override;
};

/// Flushes stdout and stderr, for a few seconds at most if their readers are slow. Returns the
/// errno of the first failed write of a result, or 0.
[[nodiscard]] int finish_output();

}  // namespace sluice::cli
