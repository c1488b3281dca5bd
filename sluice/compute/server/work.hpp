// What a request-reply service does with a question.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::compute {

class process_pool;

/// What the connection tells of a question that is being answered elsewhere, and what it is told.
struct question_context {
    /// The client has ended its side of the connection; it may still want to read. Any thread.
    std::atomic<bool> client_ended = false;
    /// How long the question waited before it was begun. Set before the answer is there.
    io::duration queued{};
};

/// What is still to be done for an answer.
struct effort {
    /// Waits for the answer of another process, and holds no thread where the engine does not
    /// block. Errors as for `compute`; fault::cancelled. If empty:
    std::function<coro::task<result<std::string>>(io::engine&, question_context&)> ask = {};
    /// Burns CPU, or blocks: for a thread that nobody else needs meanwhile. fault::queue_full,
    /// fault::timed_out, or any other error, which is `failed`. Does not throw. If empty:
    std::function<result<std::string>()> compute = {};
    /// time passes, and the answer is there.
    io::duration sleep{};
    std::string slept = {};
};

/// Answers questions. Any thread, several at once.
class work {
 public:
    work() = default;
    work(const work&) = delete;
    work& operator=(const work&) = delete;
    virtual ~work() = default;

    /// Appends the answer to `answers` where that takes a few microseconds at most; otherwise says
    /// what is to be done. `question` is any bytes, valid during the call.
    [[nodiscard]] virtual std::optional<effort> begin(std::string_view question,
                                                      std::string& answers) const = 0;
};

/// The doubly recursive Fibonacci function with fib(0) = fib(1) = 1: work that burns a CPU, on
/// purpose. Takes 1.6 times as long with each step of `n`.
[[nodiscard]] std::uint64_t fib(unsigned n) noexcept;

/// fib of the number asked for, up to `limit` (at most 92, where 64 bits end).
[[nodiscard]] std::unique_ptr<work> make_fib(unsigned limit);
/// The question itself.
[[nodiscard]] std::unique_ptr<work> make_echo();
/// Nothing, for as many milliseconds as asked for, up to `limit`; the answer is their number.
[[nodiscard]] std::unique_ptr<work> make_sleep(io::duration limit);
/// What `f` says, computed where it may take long.
[[nodiscard]] std::unique_ptr<work> make_function(std::function<std::string(std::string_view)> f);
/// What the programs of `pool` answer. The pool outlives it.
[[nodiscard]] std::unique_ptr<work> make_programs(process_pool& pool);

}  // namespace sluice::compute
