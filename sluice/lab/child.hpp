// Runs a sluice command in a child process on given cores, with its output captured.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "sluice/io/timer.hpp"
#include "sluice/lab/usage.hpp"
#include "sluice/os/child_process.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::lab {

struct child_options {
    std::vector<std::string> words;  ///< arguments after the program's name
    std::vector<int> cores;          ///< affinity mask; empty: any core
    bool counted = false;            ///< count context switches and system calls, if allowed
    int inherited = -1;              ///< inherited under the same number; -1: none
    int also_inherited = -1;
};

/// This program (/proc/self/exe) with other arguments. It has a session of its own (setsid(2)), so
/// Ctrl-C at the terminal does not reach it; the kernel kills it (PR_SET_PDEATHSIG, SIGKILL) when
/// the thread that started it ends. Its stdin is /dev/null; pipes capture its stdout and stderr.
/// One thread.
class child {
 public:
    /// Starts the process. The error is a sentence without its full stop.
    [[nodiscard]] static std::expected<child, std::string> start(const child_options& o);
    child(child&& other) noexcept = default;
    child& operator=(child&&) = delete;
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    /// Calls end().
    ~child();

    [[nodiscard]] watched watch() const noexcept;

    /// Waits for `listening on HOST:PORT (` on stderr and returns the address. The wait ends when
    /// `stop`, a descriptor, is readable or after `timeout`. The error is a sentence without its
    /// full stop that quotes the last line of stderr.
    [[nodiscard]] std::expected<std::string, std::string> await_address(
        int stop, std::chrono::milliseconds timeout);
    /// Waits until the process exits and returns all of its stdout. Limits and error as above; a
    /// status other than 0 is an error.
    [[nodiscard]] std::expected<std::string, std::string> await_output(
        int stop, std::chrono::milliseconds timeout);

    /// Sends SIGTERM, and SIGKILL after 60 ms; then reaps the process.
    void end() noexcept;

 private:
    explicit child(os::child_process started) noexcept : process_{std::move(started)} {}
    /// Reads once from the pipes that are readable. False when both have ended, at `until`, or when
    /// `stop` is readable.
    [[nodiscard]] bool read_pipes(int stop, io::time_point until);
    [[nodiscard]] std::string describe_failure(const std::string& what) const;

    os::child_process process_;
    std::string name_;  // "sluice" and its first two arguments
    std::string out_text_;
    std::string err_text_;
    unique_fd switches_;
    unique_fd calls_;
};

/// A command line that a POSIX shell splits into `words`.
[[nodiscard]] std::string shell_words(const std::vector<std::string>& words);

}  // namespace sluice::lab
