// Defines handler, which computes the answers of a request-reply service, and its kinds.
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

/// State shared by a connection and the job that answers its question.
struct question_context {
    /// The client has closed its sending side; it may still read. Any thread.
    std::atomic<bool> client_ended = false;
    /// Time that the question waited before the job began. Set before the job returns.
    io::duration queued{};
};

/// The rest of the work for an answer: `ask`, else `compute`, else a sleep.
struct job {
    /// Waits for the answer of another process; holds a thread only if the engine blocks. Errors as
    /// for `compute`; fault::cancelled. May be empty.
    std::function<coro::task<result<std::string>>(io::engine&, question_context&)> ask = {};
    /// Burns CPU or blocks: runs on a worker thread. fault::queue_full, fault::timed_out, or any
    /// other error, answered `failed`. Throws nothing but std::bad_alloc. May be empty.
    std::function<result<std::string>()> compute = {};
    /// The answer is `slept` after `sleep` has passed.
    io::duration sleep{};
    std::string slept = {};
};

/// Answers questions. Any thread, several at once.
class handler {
 public:
    handler() = default;
    handler(const handler&) = delete;
    handler& operator=(const handler&) = delete;
    virtual ~handler() = default;

    /// Appends the answer to `answers` if that takes a few microseconds at most; else returns the
    /// job. `question` is any bytes, valid during the call.
    [[nodiscard]] virtual std::optional<job> begin(std::string_view question,
                                                   std::string& answers) const = 0;
    /// Whether an answer of begin() refuses its question.
    [[nodiscard]] virtual bool is_refusal(std::string_view /*answer*/) const noexcept {
        return false;
    }
};

/// The doubly recursive Fibonacci function with fib(0) = fib(1) = 1, which burns CPU on purpose.
/// Each step of `n` takes 1.6 times as long.
[[nodiscard]] std::uint64_t fib(unsigned n) noexcept;

/// Answers a number with its fib(), up to `limit` (at most 92, the largest result in 64 bits).
[[nodiscard]] std::unique_ptr<handler> make_fib(unsigned limit);
/// Answers with the question.
[[nodiscard]] std::unique_ptr<handler> make_echo();
/// Sleeps for the given milliseconds, up to `limit`, and answers with their number.
[[nodiscard]] std::unique_ptr<handler> make_sleep(io::duration limit);
/// Answers with the result of `f`, run as a job.
[[nodiscard]] std::unique_ptr<handler> make_function(
    std::function<std::string(std::string_view)> f);
/// Answers with the replies of the programs in `pool`, which outlives the handler.
[[nodiscard]] std::unique_ptr<handler> make_programs(process_pool& pool);

}  // namespace sluice::compute
