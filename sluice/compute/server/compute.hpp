// Defines compute_service, a request-reply service: one answer per message of a client.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/base/live_setting.hpp"
#include "sluice/base/result.hpp"
#include "sluice/compute/server/counters.hpp"
#include "sluice/compute/server/handler.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/model/access_log.hpp"
#include "sluice/model/model.hpp"
#include "sluice/model/session.hpp"
#include "sluice/net/framed.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::compute {

/// Options of a compute_service; those that are live_setting may be set while it runs (live()).
struct compute_options {
    wire::framing framing = wire::framing::automatic;  ///< how questions end
    /// The longest question in bytes, its line end not counted. A longer one is answered `too long`
    /// and ends the session.
    std::size_t max_line = std::size_t{64} * 1024;
    /// Threads for jobs, if the engine does not block; 0: one per core.
    unsigned workers = 0;
    /// Jobs that may wait for a thread; further ones are answered `busy`.
    std::size_t queue = 1024;
    /// How long a job may wait for a thread before it is answered `late` and not run.
    live_setting<io::duration> deadline = io::duration::max();
    live_setting<io::duration> idle_time{std::chrono::minutes{5}};  ///< longest wait for a question
    /// From the first bytes of a question to its last, and for a client to read its answers: up to
    /// 64 KiB of them, or one longer answer.
    live_setting<io::duration> stall_time{std::chrono::seconds{30}};
    /// Logs a line about a connection that was closed, without its newline. Any thread, any forked
    /// process; must not throw.
    std::function<void(std::string_view)> report = {};
    model::access_log* access = nullptr;  ///< outlives the service; null: none
};

/// Answers questions in order; the handler computes short answers on the session's thread. A job
/// runs in place on an engine that blocks, else on a bounded pool of threads while the engine
/// continues. The service drops a job that has not begun when its client resets the connection; it
/// answers a client that only closes its sending side, which may still read.
class compute_service {
 public:
    /// Answers with what `h` says, which may not be null. Starts no thread yet.
    compute_service(std::unique_ptr<handler> h, compute_options o);
    compute_service(const compute_service&) = delete;
    compute_service& operator=(const compute_service&) = delete;
    ~compute_service();

    /// For a model. This object outlives the service.
    [[nodiscard]] model::service service();
    /// What it has counted since it was made, in all processes. Any thread may read it.
    [[nodiscard]] const compute_counters& counted() const noexcept { return *counters_; }
    /// Any thread: where its live settings are set.
    [[nodiscard]] compute_options& live() noexcept { return options_; }

 private:
    class disconnect_monitor;
    struct pending;
    using messages = net::framed<model::session>;
    using outcome = result<std::string>;

    coro::task<void> serve(model::session& client);
    /// Waits for the client's next bytes, at most until the deadline in `p`. When a stop begins, it
    /// returns without any, and the deadline is that of the last call.
    coro::task<result<void>> receive(model::session& client, messages& questions, pending& p);
    std::optional<job> begin(std::string_view question, std::string& out);
    /// `reason`: why the job has no answer, in a word.
    coro::task<result<void>> answer(model::session& client, messages& from, job todo,
                                    std::string& out, std::string_view& reason);
    /// The time, if the question that begins is to be told; else io::never.
    [[nodiscard]] io::time_point time_to_tell(const model::session& client) noexcept;
    /// Tells a question that began at `begun`, unless that is io::never.
    void tell(model::session& client, io::time_point begun, model::access_event e) noexcept;
    /// Tells the question of `p` that was answered at once, if it is to be told.
    void tell_at_once(model::session& client, const pending& p, std::string_view question) noexcept;
    coro::task<outcome> run_job(model::session& client, messages& from, job todo);
    coro::task<void> execute(io::engine& engine, coro::scope& tasks, job& todo,
                             question_context& state, outcome& into);
    coro::task<outcome> offload(io::engine& engine, job& todo);
    coro::task<outcome> compute_on_pool(io::engine& engine, job& todo, io::time_point asked);
    void give_up_sending(model::session& client, error why) noexcept;
    static coro::task<void> watch_client(messages& from, coro::scope& tasks,
                                         question_context& state, disconnect_monitor& monitor,
                                         bool& gone);
    void report_stranger(model::session& client, error why);
    coro::task<void> refuse(model::session& client, error why, std::string& out, bool terminated);
    outcome timed(const job& todo, io::time_point asked) noexcept;
    [[nodiscard]] std::string_view count_refusal(error why) noexcept;

    std::unique_ptr<handler> handler_;
    compute_options options_;
    shared_counters counters_;
    io::offload_pool pool_;
};

/// A service that answers each message with the result of `f`. Owns its state.
[[nodiscard]] model::service make_service(std::function<std::string(std::string_view)> f,
                                          compute_options o = {});

}  // namespace sluice::compute
