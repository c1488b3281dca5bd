// Implements compute_service: reading questions, running jobs, sending answers in order.
#include "sluice/compute/server/compute.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "sluice/base/planted_bug.hpp"
#include "sluice/base/sometimes.hpp"
#include "sluice/compute/refusals.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/lingering_close.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::compute {
namespace {

using namespace std::chrono_literals;

// Bytes of answers to pipelined questions that are sent together.
constexpr std::size_t max_batch = std::size_t{64} * 1024;
// Bytes of its answer buffer that an idle connection keeps.
constexpr std::size_t max_idle_capacity = 256;
// For a question that a client has sent when the server begins to drain: a trip over a long line.
constexpr auto last_call = 250ms;

// The reason of a question whose client has gone.
constexpr std::string_view lost = "lost";

std::uint64_t nanoseconds(io::duration d) noexcept {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(d).count());
}

/// State of a client's connection while it waits for an answer.
enum class connection_state : std::uint8_t {
    open,
    ended,  ///< the client has closed its sending side and may still read
    gone,   ///< the connection was reset
};

connection_state connection_state_of(int fd) noexcept {
    pollfd p{.fd = fd, .events = POLLRDHUP, .revents = 0};
    constexpr timespec at_once{};
    if (os::sys().ppoll({&p, 1}, &at_once) != 1) return connection_state::open;
    if ((p.revents & (POLLERR | POLLHUP)) != 0) return connection_state::gone;
    return (p.revents & POLLRDHUP) != 0 ? connection_state::ended : connection_state::open;
}

void clear_reply(std::string& out) {
    out.clear();
    if (out.capacity() > max_idle_capacity) out.shrink_to_fit();
}

/// `d` from now. engine::now() of a blocking engine is the time of its last wait, which may be long
/// ago for a thread of a pool.
io::time_point deadline_after(const model::session& client, io::duration d) noexcept {
    const auto& engine = client.engine();
    return io::after(engine.blocks() ? io::clock::now() : engine.now(), d);
}

}  // namespace

/// Unsent answers of a connection, and the deadline of its next read.
struct compute_service::pending {
    std::string out;
    bool unterminated = false;  ///< the last answer was sent without a newline
    bool asked = true;          ///< a question came since the last wait
    bool begun = false;         ///< a part of the next question has come
    bool is_last = false;       ///< the server drains: what comes now is the last
    io::time_point until = io::never;
    io::time_point asked_at = io::never;  ///< when the question began that is to be told
    std::size_t answer_begins = 0;        ///< in `out`
    std::string_view reason;              ///< why it was not answered; static
    std::unique_ptr<std::string> kept;    ///< the question of a job that is to be told
    std::unique_ptr<net::address> from;   ///< of the client, once a question is to be told

    void begin_question(const model::session& client, io::time_point when) {
        if (when != io::never && !from) {
            from = std::make_unique<net::address>(client.address().value_or(net::address{}));
        }
        asked_at = when;
        answer_begins = out.size();
        reason = {};
    }
    /// For a job, during which the bytes of the question move; it sends the answers before its own.
    void keep_question(std::string_view question) {
        answer_begins = 0;
        if (asked_at != io::never) kept = std::make_unique<std::string>(question);
    }
    [[nodiscard]] std::string_view answer() const noexcept {
        return std::string_view{out}.substr(answer_begins);
    }
    [[nodiscard]] model::access_event kept_event(bool is_answered) const noexcept {
        const std::string_view why = is_answered ? reason : lost;
        const std::string_view question = kept ? std::string_view{*kept} : std::string_view{};
        return {.kind = model::access_kind::question,
                .client = from ? *from : net::address{},
                .what = question,
                .reason = why,
                .received = question.size(),
                .sent = is_answered ? answer().size() : 0};
    }

    /// True once, where a stop has ended the wait for a question: one may be on its way.
    bool begin_last_call(error why) noexcept {
        if (why != fault::cancelled || is_last) return false;
        is_last = true;
        until = io::after(io::clock::now(), last_call);
        return true;
    }

    void end_answer(bool terminated) {
        out += wire::message_end(terminated);
        unterminated = !terminated;
    }

    /// Replies to a telnet timing mark; ends an unterminated answer once the client reads lines.
    void apply_peer_state(messages& questions) {
        if (questions.take_timing_mark()) out += wire::timing_mark();
        if (unterminated && questions.answers_terminated()) end_answer(true);
    }

    /// Whether the server drains, and has waited long enough for a question on its way.
    [[nodiscard]] bool is_past_last_call() const noexcept {
        return is_last && io::clock::now() >= until;
    }

    void start_idle_deadline(io::time_point idle) noexcept {
        if (!std::exchange(asked, false) || is_last) return;
        begun = false;
        until = idle;
    }

    void on_bytes(io::time_point stalled) noexcept {
        if (!std::exchange(begun, true) && !is_last) until = stalled;
    }
};

/// Polls the connection of a client that is not read from, first after 0.25 s, at last every 4 s;
/// cancels `tasks` when the client has gone. A timer, because the blocking engine waits for one
/// operation at a time.
class compute_service::disconnect_monitor : io::timer {
 public:
    disconnect_monitor(io::engine& engine, int fd, coro::scope& tasks, question_context& state,
                       bool& gone) noexcept
        : timer{[](timer& t) noexcept { static_cast<disconnect_monitor&>(t).poll_connection(); }},
          engine_{engine},
          fd_{fd},
          tasks_{tasks},
          state_{state},
          gone_{gone} {}
    disconnect_monitor(const disconnect_monitor&) = delete;
    disconnect_monitor& operator=(const disconnect_monitor&) = delete;
    ~disconnect_monitor() {
        if (!planted(bug::compute_timer_survives)) engine_.timers().disarm(*this);
    }

    void set() noexcept { engine_.timers().arm(*this, io::after(io::clock::now(), pause_)); }

 private:
    void poll_connection() noexcept {
        auto now = connection_state_of(fd_);
        if (now != connection_state::open) state_.client_ended = true;
        sometimes(rare_path::compute_half_closed_in_job, now == connection_state::ended);
        if (planted(bug::compute_half_close_is_gone) && now == connection_state::ended) {
            now = connection_state::gone;
        }
        if (now == connection_state::gone) {
            gone_ = true;
            tasks_.cancel();
            return;
        }
        pause_ = std::min<io::duration>(pause_ * 2, 4s);
        set();
    }

    io::engine& engine_;
    int fd_;
    coro::scope& tasks_;
    question_context& state_;
    bool& gone_;
    io::duration pause_ = 250ms;
};

compute_service::compute_service(std::unique_ptr<handler> h, compute_options o)
    : handler_{std::move(h)},
      options_{o},
      pool_{{.workers = model::workers_of(o.workers), .queue = o.queue}} {}

compute_service::~compute_service() = default;

model::service compute_service::service() {
    return [this](model::session& client) { return serve(client); };
}

namespace {

/// Unread questions must not cause a reset that drops the answers sent.
coro::task<void> close_at_stop(model::session& client) {
    sometimes(rare_path::compute_stopped_in_wait);
    co_await net::lingering_close(client.peer(), client.drain_context());
}

}  // namespace

coro::task<void> compute_service::serve(model::session& client) {
    messages questions{client, options_.framing, options_.max_line, wire::sender::client};
    questions.refuse_other_protocols();
    pending p;
    for (;;) {
        const auto question = questions.buffered();
        p.apply_peer_state(questions);
        if (!question) {
            co_await refuse(client, question.error(), p.out, questions.answers_terminated());
            co_return;
        }
        if (*question) {
            p.asked = true;
            p.begin_question(client, time_to_tell(client));
            auto todo = begin((*question)->text, p.out);
            if (todo) {
                p.keep_question((*question)->text);
                auto answered =
                    co_await answer(client, questions, std::move(*todo), p.out, p.reason);
                tell(client, p.asked_at, p.kept_event(answered.has_value()));
                if (!answered) co_return;
                p.kept.reset();
            } else {
                tell_at_once(client, p, (*question)->text);
            }
            p.end_answer(questions.answers_terminated());
            if (p.out.size() < max_batch) continue;
        }
        if (!p.out.empty()) {
            auto sent = co_await io::with_deadline(client.engine(), client.peer().send_all(p.out),
                                                   deadline_after(client, options_.stall_time));
            if (!sent) co_return give_up_sending(client, sent.error());
            clear_reply(p.out);
        }
        if (*question) continue;
        if (questions.ended()) co_return;
        p.start_idle_deadline(deadline_after(client, options_.idle_time));
        const auto read = co_await receive(client, questions, p);
        if (!read) {
            if (read.error() == fault::cancelled) co_await close_at_stop(client);
            co_return;
        }
        p.on_bytes(deadline_after(client, options_.stall_time));
    }
}

coro::task<result<void>> compute_service::receive(model::session& client, messages& questions,
                                                  pending& p) {
    if (p.is_past_last_call()) co_return failure(fault::cancelled);
    if (questions.awaits_pause()) {
        auto more = questions.more();
        more.set_context(client.drain_context());
        auto came = co_await more;
        if (!came && p.begin_last_call(came.error())) co_return result<void>{};
        co_return came;
    }
    questions.release();
    coro::context& own = co_await coro::this_context();
    coro::context& within = p.is_last ? own : client.drain_context();
    auto got = co_await io::with_deadline(client.engine(), client.peer().recv(within), p.until);
    if (!got && p.begin_last_call(got.error())) co_return result<void>{};
    if (!got && got.error() == fault::timed_out && p.is_last) co_return failure(fault::cancelled);
    if (!got && got.error() == fault::timed_out) {
        sometimes(p.begun ? rare_path::compute_stalled : rare_path::compute_idle);
        (p.begun ? counters_->stalled : counters_->idle).fetch_add(1, std::memory_order_relaxed);
        co_return failure(fault::timed_out);
    }
    co_return questions.take(std::move(got));
}

io::time_point compute_service::time_to_tell(const model::session& client) noexcept {
    if (options_.access == nullptr) return io::never;
    const auto now = deadline_after(client, {});
    return options_.access->admits(model::access_kind::question, now) ? now : io::never;
}

void compute_service::tell(model::session& client, io::time_point begun,
                           model::access_event e) noexcept {
    if (begun == io::never) return;
    e.id = options_.access->next_id();
    if (e.client.family() == AF_UNSPEC) e.client = client.address().value_or(net::address{});
    e.user = client.account();
    e.took = io::clock::now() - begun;
    options_.access->write(e);
}

void compute_service::tell_at_once(model::session& client, const pending& p,
                                   std::string_view question) noexcept {
    if (p.asked_at == io::never) return;
    const auto said = p.answer();
    tell(client, p.asked_at,
         {.kind = model::access_kind::question,
          .client = *p.from,
          .what = question,
          .reason = handler_->is_refusal(said) ? said : std::string_view{},
          .received = question.size(),
          .sent = said.size()});
}

std::optional<job> compute_service::begin(std::string_view question, std::string& out) {
    auto todo = handler_->begin(question, out);
    if (!todo) counters_->at_once.fetch_add(1, std::memory_order_relaxed);
    return todo;
}

coro::task<result<void>> compute_service::answer(model::session& client, messages& from, job todo,
                                                 std::string& out, std::string_view& reason) {
    // Sends finished answers before a job that may take long.
    if (!out.empty()) {
        auto sent = co_await io::with_deadline(client.engine(), client.peer().send_all(out),
                                               deadline_after(client, options_.stall_time));
        if (!sent) {
            give_up_sending(client, sent.error());
            co_return failure(sent.error());
        }
        if (!planted(bug::compute_answer_twice)) out.clear();
    }
    auto reply = co_await run_job(client, from, std::move(todo));
    if (reply) {
        counters_->worked_on.fetch_add(1, std::memory_order_relaxed);
        if (planted(bug::compute_answer_of_another)) {
            static std::string last = *reply;
            std::swap(last, *reply);
        }
        out += *reply;
        co_return result<void>{};
    }
    if (reply.error() == fault::cancelled) co_return failure(reply.error());
    reason = count_refusal(reply.error());
    out += reason;
    co_return result<void>{};
}

void compute_service::give_up_sending(model::session& client, error why) noexcept {
    if (why != fault::timed_out) return;
    counters_->stalled.fetch_add(1, std::memory_order_relaxed);
    // Drops the bytes that the client does not read from the kernel's send buffer.
    client.peer().set_linger_reset();
}

coro::task<compute_service::outcome> compute_service::run_job(model::session& client,
                                                              messages& from, job todo) {
    io::engine& engine = client.engine();
    const int fd = client.peer().fd();
    if (connection_state_of(fd) == connection_state::gone) {
        counters_->abandoned.fetch_add(1, std::memory_order_relaxed);
        co_return failure(fault::cancelled);
    }
    if (engine.works_in_place() && todo.compute) co_return timed(todo, io::clock::now());
    outcome reply = failure(fault::cancelled);
    bool gone = false;
    question_context state;
    coro::scope tasks{co_await coro::this_context()};
    disconnect_monitor monitor{engine, fd, tasks, state, gone};
    // The blocking engine runs the job to its end before it starts the next task.
    if (engine.blocks()) monitor.set();
    if (auto begun = tasks.spawn(execute(engine, tasks, todo, state, reply)); !begun) {
        co_return failure(begun.error());
    }
    if (tasks.size() > 0)
        static_cast<void>(tasks.spawn(watch_client(from, tasks, state, monitor, gone)));
    co_await tasks.join();
    // A job that was refused or failed is counted as that.
    if (gone && !reply && reply.error() == fault::cancelled) {
        sometimes(rare_path::compute_abandoned);
        counters_->abandoned.fetch_add(1, std::memory_order_relaxed);
    }
    co_return reply;
}

coro::task<void> compute_service::execute(io::engine& engine, coro::scope& tasks, job& todo,
                                          question_context& state, outcome& into) {
    if (todo.ask) {
        const auto asked = io::clock::now();
        into = co_await todo.ask(engine, state);
        const auto all = io::clock::now() - asked;
        counters_->count_job(nanoseconds(state.queued), nanoseconds(all - state.queued));
    } else if (todo.compute) {
        into = co_await offload(engine, todo);
    } else {
        auto slept = co_await io::sleep_for(engine, todo.sleep);
        if (slept) into = std::move(todo.slept);
    }
    tasks.cancel();
}

coro::task<void> compute_service::watch_client(messages& from, coro::scope& tasks,
                                               question_context& state, disconnect_monitor& monitor,
                                               bool& gone) {
    // Reads once and from then on only polls the descriptor, because reading ahead costs memory for
    // questions that are not answered yet.
    if (!from.ended() && from.drained()) {
        auto read = co_await from.more();
        if (!read && read.error() != fault::cancelled) {
            gone = true;
            tasks.cancel();
        }
        if (!read) co_return;
    }
    if (from.ended()) state.client_ended = true;
    monitor.set();
}

coro::task<compute_service::outcome> compute_service::offload(io::engine& engine, job& todo) {
    const auto asked = io::clock::now();
    const auto until =
        planted(bug::compute_deadline_lost) ? io::never : io::after(asked, options_.deadline);
    co_return co_await io::with_deadline(engine, compute_on_pool(engine, todo, asked), until);
}

coro::task<compute_service::outcome> compute_service::compute_on_pool(io::engine& engine, job& todo,
                                                                      io::time_point asked) {
    co_return co_await pool_.run(engine, [this, &todo, asked] { return timed(todo, asked); });
}

compute_service::outcome compute_service::timed(const job& todo, io::time_point asked) noexcept {
    const auto begun = io::clock::now();
    outcome reply;
    try {
        reply = todo.compute();
    } catch (const std::bad_alloc&) {
        reply = failure_of(ENOMEM);
    }
    counters_->count_job(nanoseconds(begun - asked), nanoseconds(io::clock::now() - begun));
    return reply;
}

std::string_view compute_service::count_refusal(error why) noexcept {
    // EAGAIN: no worker thread could be created.
    sometimes(rare_path::compute_no_thread, why.is(EAGAIN));
    sometimes(rare_path::compute_busy, why == fault::queue_full);
    sometimes(rare_path::compute_late, why == fault::timed_out);
    if (why == fault::queue_full || why.is(EAGAIN)) {
        counters_->busy.fetch_add(1, std::memory_order_relaxed);
        return refusal::busy;
    }
    if (why == fault::timed_out) {
        counters_->late.fetch_add(1, std::memory_order_relaxed);
        return refusal::late;
    }
    sometimes(rare_path::compute_failed);
    counters_->failed.fetch_add(1, std::memory_order_relaxed);
    return refusal::failed;
}

void compute_service::report_stranger(model::session& client, error why) {
    counters_->strangers.fetch_add(1, std::memory_order_relaxed);
    if (!options_.report) return;
    const auto who = client.address();
    options_.report(fmt::format("{} has to go: {}",
                                who ? who->to_string() : std::string{"a client"}, why.message()));
}

coro::task<void> compute_service::refuse(model::session& client, error why, std::string& out,
                                         bool terminated) {
    const bool is_stranger = is_other_protocol(why);
    tell(client, time_to_tell(client),
         {.kind = model::access_kind::question,
          .reason = is_stranger ? "another protocol" : refusal::too_long});
    if (is_stranger) co_return report_stranger(client, why);
    sometimes(rare_path::compute_too_long);
    counters_->too_long.fetch_add(1, std::memory_order_relaxed);
    out += refusal::too_long;
    out += wire::message_end(terminated);
    auto sent = co_await io::with_deadline(client.engine(), client.peer().send_all(out),
                                           deadline_after(client, options_.stall_time));
    if (!sent) co_return give_up_sending(client, sent.error());
    if (planted(bug::compute_reset_on_refusal)) co_return;
    co_await net::lingering_close(client.peer(), client.drain_context());
}

model::service make_service(std::function<std::string(std::string_view)> f, compute_options o) {
    auto owner = std::make_shared<compute_service>(make_function(std::move(f)), o);
    return [owner, serve = owner->service()](model::session& client) { return serve(client); };
}

}  // namespace sluice::compute
