// Reads, has computed, answers, and minds who is still there.
#include "sluice/compute/server/compute.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <optional>
#include <utility>

#include "sluice/compute/refusals.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/lingering_close.hpp"

namespace sluice::compute {
namespace {

using namespace std::chrono_literals;

// Answers to questions that came together go out together, up to this many bytes.
constexpr std::size_t batch = std::size_t{64} * 1024;
// What an idle client may keep of its last answer.
constexpr std::size_t most_reply_kept = 256;

std::uint64_t nanoseconds(io::duration d) noexcept {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(d).count());
}

/// What a client has done to its connection while it waits for an answer.
enum class presence : std::uint8_t {
    here,
    ended,  ///< it sends no more, and may still read: an orderly end may be half of one
    gone,   ///< the connection was reset
};

presence presence_of(int fd) noexcept {
    pollfd p{.fd = fd, .events = POLLRDHUP, .revents = 0};
    if (::poll(&p, 1, 0) != 1) return presence::here;
    if ((p.revents & (POLLERR | POLLHUP)) != 0) return presence::gone;
    return (p.revents & POLLRDHUP) != 0 ? presence::ended : presence::here;
}

void empty(std::string& out) {
    out.clear();
    if (out.capacity() > most_reply_kept) out.shrink_to_fit();
}

/// `d` from now. The blocking engine's own time is that of its last wait, which may be long ago for
/// a thread of a pool.
io::time_point in(const model::guest& client, io::duration d) noexcept {
    const auto& here = client.home();
    return io::after(here.blocks() ? io::clock::now() : here.now(), d);
}

}  // namespace

/// What a client has been answered that has not left, and what is waited for.
struct compute::pending {
    std::string out;
    bool is_open = false;  ///< the last answer has no end
    bool asked = true;     ///< a question came since the last wait
    bool begun = false;    ///< of the next one, some bytes have come
    io::time_point until = io::never;

    void end_answer(bool terminated) {
        out += wire::message_end(terminated);
        is_open = !terminated;
    }

    /// What the client's latest bytes have told of how it reads.
    void heed(messages& questions) {
        if (questions.take_timing_mark()) out += wire::timing_mark();
        // The client ends its lines after all, and reads lines.
        if (is_open && questions.answers_terminated()) end_answer(true);
    }

    void begin_waiting(io::time_point idle) noexcept {
        if (!std::exchange(asked, false)) return;
        begun = false;
        until = idle;
    }

    void hear_bytes(io::time_point stalled) noexcept {
        if (!std::exchange(begun, true)) until = stalled;
    }
};

/// Looks after a client that nothing is read from, at first often, then every four seconds; cancels
/// `both` when it has gone. A timer, as the blocking engine waits for one thing at a time.
class compute::lookout : io::timer {
 public:
    lookout(io::engine& here, int fd, coro::scope& both, question_context& of, bool& gone) noexcept
        : timer{[](timer& t) noexcept { static_cast<lookout&>(t).look(); }},
          here_{here},
          fd_{fd},
          both_{both},
          of_{of},
          gone_{gone} {}
    lookout(const lookout&) = delete;
    lookout& operator=(const lookout&) = delete;
    ~lookout() { here_.timers().disarm(*this); }

    void set() noexcept { here_.timers().arm(*this, io::after(io::clock::now(), pause_)); }

 private:
    void look() noexcept {
        const auto now = presence_of(fd_);
        if (now != presence::here) of_.client_ended = true;
        if (now == presence::gone) {
            gone_ = true;
            both_.cancel();
            return;
        }
        pause_ = std::min<io::duration>(pause_ * 2, 4s);
        set();
    }

    io::engine& here_;
    int fd_;
    coro::scope& both_;
    question_context& of_;
    bool& gone_;
    io::duration pause_ = 250ms;
};

compute::compute(std::unique_ptr<work> what, compute_options o)
    : work_{std::move(what)}, options_{o} {}

compute::~compute() = default;

model::service compute::service() {
    return [this](model::guest& client) { return converse(client); };
}

coro::task<void> compute::converse(model::guest& client) {
    messages questions{client, options_.framing, options_.max_line, wire::sender::client};
    pending p;
    for (;;) {
        const auto question = questions.here();
        p.heed(questions);
        if (!question) {
            co_await refuse_too_long(client, p.out, questions.answers_terminated());
            co_return;
        }
        if (*question) {
            p.asked = true;
            auto todo = begin((*question)->text, p.out);
            if (todo) {
                auto answered = co_await answer(client, questions, std::move(*todo), p.out);
                if (!answered) co_return;
            }
            p.end_answer(questions.answers_terminated());
            if (p.out.size() < batch) continue;
        }
        if (!p.out.empty()) {
            auto sent = co_await io::with_deadline(client.home(), client.peer().send_all(p.out),
                                                   in(client, options_.stall_time));
            if (!sent) co_return give_up_sending(client, sent.error());
            empty(p.out);
        }
        if (*question) continue;
        if (questions.ended()) co_return;
        p.begin_waiting(in(client, options_.idle_time));
        const auto read = co_await hear(client, questions, p);
        if (!read) {
            // At a stop. Questions that lie unread must not cost the answers that are on their way.
            if (read.error() == fault::cancelled) {
                co_await net::lingering_close(client.peer(), client.patience());
            }
            co_return;
        }
        p.hear_bytes(in(client, options_.stall_time));
    }
}

coro::task<result<void>> compute::hear(model::guest& client, messages& questions,
                                       const pending& p) {
    if (questions.awaits_pause()) {
        auto more = questions.more();
        more.set_context(client.patience());
        co_return co_await more;
    }
    questions.let_go();
    auto got =
        co_await io::with_deadline(client.home(), client.peer().recv(client.patience()), p.until);
    if (!got && got.error() == fault::timed_out) {
        (p.begun ? tally_->stalled : tally_->idle).fetch_add(1, std::memory_order_relaxed);
        co_return failure(fault::timed_out);
    }
    co_return questions.take(std::move(got));
}

std::optional<effort> compute::begin(std::string_view question, std::string& out) {
    auto todo = work_->begin(question, out);
    if (!todo) tally_->at_once.fetch_add(1, std::memory_order_relaxed);
    return todo;
}

coro::task<result<void>> compute::answer(model::guest& client, messages& from, effort todo,
                                         std::string& out) {
    // What is known already is not kept back for what may take long.
    if (!out.empty()) {
        auto sent = co_await io::with_deadline(client.home(), client.peer().send_all(out),
                                               in(client, options_.stall_time));
        if (!sent) {
            give_up_sending(client, sent.error());
            co_return failure(sent.error());
        }
        out.clear();
    }
    auto said = co_await labour(client, from, std::move(todo));
    if (said) {
        tally_->worked_on.fetch_add(1, std::memory_order_relaxed);
        out += *said;
        co_return result<void>{};
    }
    if (said.error() == fault::cancelled) co_return failure(said.error());
    out += count_refusal(said.error());
    co_return result<void>{};
}

void compute::give_up_sending(model::guest& client, error why) noexcept {
    if (why != fault::timed_out) return;
    tally_->stalled.fetch_add(1, std::memory_order_relaxed);
    // What the client does not read, the kernel need not keep.
    client.peer().reset_on_close();
}

coro::task<compute::outcome> compute::labour(model::guest& client, messages& from, effort todo) {
    io::engine& here = client.home();
    const int fd = client.peer().fd();
    if (presence_of(fd) == presence::gone) {
        tally_->abandoned.fetch_add(1, std::memory_order_relaxed);
        co_return failure(fault::cancelled);
    }
    if (here.works_in_place() && todo.compute) co_return timed(todo, io::clock::now());
    outcome said = failure(fault::cancelled);
    bool gone = false;
    question_context of;
    coro::scope both{co_await coro::this_context()};
    lookout eyes{here, fd, both, of, gone};
    // The blocking engine waits for one thing at a time, and does not come back before it is done.
    if (here.blocks()) eyes.set();
    if (auto begun = both.spawn(do_it(here, both, todo, of, said)); !begun) {
        co_return failure(begun.error());
    }
    if (both.size() > 0) static_cast<void>(both.spawn(watch(from, both, of, eyes, gone)));
    co_await both.join();
    if (gone && !said) tally_->abandoned.fetch_add(1, std::memory_order_relaxed);
    co_return said;
}

coro::task<void> compute::do_it(io::engine& here, coro::scope& both, effort& todo,
                                question_context& of, outcome& into) {
    if (todo.ask) {
        const auto asked = io::clock::now();
        into = co_await todo.ask(here, of);
        const auto all = io::clock::now() - asked;
        tally_->count_effort(nanoseconds(of.queued), nanoseconds(all - of.queued));
    } else if (todo.compute) {
        into = co_await offload(here, todo);
    } else {
        auto slept = co_await io::sleep_for(here, todo.sleep);
        if (slept) into = std::move(todo.slept);
    }
    both.cancel();
}

coro::task<void> compute::watch(messages& from, coro::scope& both, question_context& of,
                                lookout& eyes, bool& gone) {
    // Reading ahead would lend memory to a client for questions that are not answered yet: one
    // read, and from then on the descriptor is only looked at.
    if (!from.ended() && from.drained()) {
        auto read = co_await from.more();
        if (!read && read.error() != fault::cancelled) {
            gone = true;
            both.cancel();
        }
        if (!read) co_return;
    }
    if (from.ended()) of.client_ended = true;
    eyes.set();
}

coro::task<compute::outcome> compute::offload(io::engine& here, effort& todo) {
    const auto asked = io::clock::now();
    co_return co_await io::with_deadline(here, compute_elsewhere(here, todo, asked),
                                         io::after(asked, options_.deadline));
}

coro::task<compute::outcome> compute::compute_elsewhere(io::engine& here, effort& todo,
                                                        io::time_point asked) {
    io::offload_pool* workers = pool();
    if (workers == nullptr) co_return failure(fault::queue_full);
    auto said = co_await workers->run(here, [this, &todo, asked] { return timed(todo, asked); });
    if (!said) co_return failure(said.error());
    co_return std::move(*said);
}

compute::outcome compute::timed(const effort& todo, io::time_point asked) noexcept {
    const auto begun = io::clock::now();
    outcome said;
    try {
        said = todo.compute();
    } catch (const std::bad_alloc&) {
        said = failure_of(ENOMEM);
    }
    tally_->count_effort(nanoseconds(begun - asked), nanoseconds(io::clock::now() - begun));
    return said;
}

std::string_view compute::count_refusal(error why) noexcept {
    if (why == fault::queue_full) {
        tally_->busy.fetch_add(1, std::memory_order_relaxed);
        return refusal::busy;
    }
    if (why == fault::timed_out) {
        tally_->late.fetch_add(1, std::memory_order_relaxed);
        return refusal::late;
    }
    tally_->failed.fetch_add(1, std::memory_order_relaxed);
    return refusal::failed;
}

coro::task<void> compute::refuse_too_long(model::guest& client, std::string& out, bool terminated) {
    tally_->too_long.fetch_add(1, std::memory_order_relaxed);
    out += refusal::too_long;
    out += wire::message_end(terminated);
    auto sent = co_await io::with_deadline(client.home(), client.peer().send_all(out),
                                           in(client, options_.stall_time));
    if (!sent) co_return give_up_sending(client, sent.error());
    co_await net::lingering_close(client.peer(), client.patience());
}

io::offload_pool* compute::pool() noexcept {
    const std::lock_guard lock{mutex_};
    if (pool_ == nullptr) {
        try {
            pool_ = std::make_unique<io::offload_pool>(io::offload_pool::options{
                .workers = model::workers_of(options_.workers), .queue = options_.queue});
        } catch (const std::exception&) {  // std::system_error or std::bad_alloc
            return nullptr;
        }
    }
    return pool_.get();
}

model::service replying(std::function<std::string(std::string_view)> f, compute_options o) {
    auto kept = std::make_shared<compute>(make_function(std::move(f)), o);
    return [kept, serve = kept->service()](model::guest& client) { return serve(client); };
}

}  // namespace sluice::compute
