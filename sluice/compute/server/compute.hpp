// A request-reply service: one message asks, one answers, as many a connection as the client likes.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/compute/server/tally.hpp"
#include "sluice/compute/server/work.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/model/guest.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/framed.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::compute {

struct compute_options {
    wire::framing framing = wire::framing::automatic;
    /// The longest question in bytes, its end not counted. A longer one is answered `too long`, and
    /// ends the conversation.
    std::size_t max_line = std::size_t{64} * 1024;
    /// Threads for efforts, where the engine does not block; 0: one a core.
    unsigned workers = 0;
    /// Efforts that may wait for such a thread; the next is answered `busy`.
    std::size_t queue = 1024;
    /// How long an effort may wait for a thread before it is answered `late` and never computed.
    io::duration deadline = io::duration::max();
    io::duration idle_time = std::chrono::minutes{5};  ///< a connection may ask nothing for so long
    /// From the first bytes of a question to its last, and for a client to take its answers: up to
    /// 64 KiB of them, or a longer one.
    io::duration stall_time = std::chrono::seconds{30};
};

/// Answers questions in their order. What `work` can say at once is said where it was read. An
/// effort, on an engine that blocks, is done in place; elsewhere a bounded pool of threads does it,
/// and the loop goes on. A client that resets its connection is not computed for, if that has not
/// begun; one that only ends its side may still want to read, and is answered.
class compute {
 public:
    compute(std::unique_ptr<work> what, compute_options o);
    compute(const compute&) = delete;
    compute& operator=(const compute&) = delete;
    ~compute();

    /// For a model. This object outlives it.
    [[nodiscard]] model::service service();
    [[nodiscard]] const tally& counted() const noexcept { return *tally_; }

 private:
    class lookout;
    struct pending;
    using messages = net::framed<model::guest>;
    using outcome = result<std::string>;

    coro::task<void> converse(model::guest& client);
    /// Waits for the client's next bytes, as long as it may be silent.
    coro::task<result<void>> hear(model::guest& client, messages& questions, const pending& p);
    std::optional<effort> begin(std::string_view question, std::string& out);
    coro::task<result<void>> answer(model::guest& client, messages& from, effort todo,
                                    std::string& out);
    coro::task<outcome> labour(model::guest& client, messages& from, effort todo);
    coro::task<void> do_it(io::engine& here, coro::scope& both, effort& todo, question_context& of,
                           outcome& into);
    coro::task<outcome> offload(io::engine& here, effort& todo);
    coro::task<outcome> compute_elsewhere(io::engine& here, effort& todo, io::time_point asked);
    void give_up_sending(model::guest& client, error why) noexcept;
    static coro::task<void> watch(messages& from, coro::scope& both, question_context& of,
                                  lookout& eyes, bool& gone);
    coro::task<void> refuse_too_long(model::guest& client, std::string& out, bool terminated);
    outcome timed(const effort& todo, io::time_point asked) noexcept;
    [[nodiscard]] std::string_view count_refusal(error why) noexcept;
    [[nodiscard]] io::offload_pool* pool() noexcept;

    std::unique_ptr<work> work_;
    compute_options options_;
    shared_tally tally_;
    std::mutex mutex_;
    std::unique_ptr<io::offload_pool> pool_;
};

/// `f` as a service: each message is given to it, and what it returns is the answer. The returned
/// service keeps what it needs.
[[nodiscard]] model::service replying(std::function<std::string(std::string_view)> f,
                                      compute_options o = {});

}  // namespace sluice::compute
