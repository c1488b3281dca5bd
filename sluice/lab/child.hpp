// A program of ours in a process of its own: on the cores it is given, and never left behind.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/lab/usage.hpp"

namespace sluice::lab {

struct child_options {
    std::vector<std::string> words;  ///< what follows the program's name
    std::vector<int> cores;          ///< where it may run; empty: anywhere
    bool counted = false;            ///< context switches and system calls, where that is allowed
    int lent = -1;                   ///< a descriptor more that it gets, under its number here
    int lent_too = -1;
};

/// This very program (/proc/self/exe) with other words. In a session of its own, so that Ctrl-C at
/// the terminal does not reach it; dies by SIGKILL with the thread that began it, whatever becomes
/// of that. Its stdin is empty; stdout and stderr come here.
class child {
 public:
    /// The error is a sentence without its full stop.
    [[nodiscard]] static std::expected<child, std::string> start(const child_options& o);
    child(child&& other) noexcept;
    child& operator=(child&& other) noexcept;
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    /// Ends it.
    ~child();

    [[nodiscard]] watched watch() const noexcept;

    /// Waits for `listening on HOST:PORT` on stderr, and gives the address. `stop` is a descriptor
    /// that ends the wait when it is readable; so does `patience`. The error is a sentence without
    /// its full stop that holds what the program said instead.
    [[nodiscard]] std::expected<std::string, std::string> await_address(
        int stop, std::chrono::milliseconds patience);
    /// Waits for its end, and gives all of its stdout. As above; a status other than 0 is an error.
    [[nodiscard]] std::expected<std::string, std::string> await_output(
        int stop, std::chrono::milliseconds patience);

    /// SIGTERM; soon after SIGKILL.
    void end() noexcept;

 private:
    child() = default;
    /// Takes in what is there on both pipes; false once both have ended.
    [[nodiscard]] bool take_in(int stop, std::chrono::steady_clock::time_point until);
    [[nodiscard]] std::string why(const std::string& what) const;
    [[nodiscard]] int wait();

    pid_t process_ = 0;
    std::string name_;  // its first words
    unique_fd out_;
    unique_fd err_;
    std::string said_;
    std::string complained_;
    unique_fd switches_;
    unique_fd calls_;
};

/// The words of a command as a shell takes them.
[[nodiscard]] std::string shell_words(const std::vector<std::string>& words);

}  // namespace sluice::lab
