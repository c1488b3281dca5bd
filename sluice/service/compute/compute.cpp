// Reads, has computed, answers, and minds who is still there.
#include "sluice/service/compute/compute.hpp"

#include <poll.h>

#include <chrono>
#include <optional>
#include <system_error>
#include <utility>

#include "sluice/coro/context.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/lingering_close.hpp"

namespace sluice::service {
namespace {

using namespace std::chrono_literals;

// Answers to questions that came together go out together, up to this many bytes.
constexpr std::size_t batch = std::size_t{64} * 1024;
// What an idle client may keep of its last answer.
constexpr std::size_t most_kept = 256;

std::uint64_t nanoseconds(io::duration d) noexcept {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(d).count());
}

/// Whether the connection was reset. An orderly end does not count: it may be half of one.
bool is_reset(int fd) noexcept {
    pollfd p{.fd = fd, .events = 0, .revents = 0};
    return ::poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

void empty(std::string& out) {
    out.clear();
    if (out.capacity() > most_kept) out.shrink_to_fit();
}

}  // namespace

compute::compute(std::unique_ptr<work> what, compute_options o)
    : work_{std::move(what)}, options_{o} {}

compute::~compute() = default;

model::service compute::service() {
    return [this](model::guest& client) { return converse(client); };
}

coro::task<void> compute::converse(model::guest& client) {
    messages questions{client, options_.framing, options_.max_line, wire::sender::client};
    std::string out;
    bool is_open = false;  // the last answer has no end
    for (;;) {
        const auto question = questions.here();
        if (is_open && questions.answers_terminated()) {
            // The client ends its lines after all, and reads lines.
            out += wire::message_end(true);
            is_open = false;
        }
        if (!question) {
            co_await refuse_too_long(client, out, questions.answers_terminated());
            co_return;
        }
        if (*question) {
            auto todo = work_->begin((*question)->text, out);
            if (todo) {
                auto answered = co_await answer(client, questions, std::move(*todo), out);
                if (!answered) co_return;
            } else {
                tally_->at_once.fetch_add(1, std::memory_order_relaxed);
            }
            out += wire::message_end(questions.answers_terminated());
            is_open = !questions.answers_terminated();
            if (out.size() < batch) continue;
        }
        if (!out.empty()) {
            auto sent = co_await client.peer().send_all(out);
            if (!sent) co_return;
            empty(out);
        }
        if (*question) continue;
        if (questions.ended()) co_return;
        result<void> read;
        // Most reads take no coroutine of their own.
        if (!questions.awaits_pause()) {
            questions.let_go();
            read = questions.take(co_await client.peer().recv(client.patience()));
        } else {
            auto more = questions.more();
            more.set_context(client.patience());
            read = co_await more;
        }
        if (!read) co_return;
    }
}

coro::task<result<void>> compute::answer(model::guest& client, messages& from, effort todo,
                                         std::string& out) {
    // What is known already is not kept back for what may take long.
    auto sent = co_await client.peer().send_all(out);
    if (!sent) co_return failure(sent.error());
    out.clear();
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

coro::task<compute::outcome> compute::labour(model::guest& client, messages& from, effort todo) {
    io::engine& here = client.home();
    if (is_reset(client.peer().fd())) {
        tally_->abandoned.fetch_add(1, std::memory_order_relaxed);
        co_return failure(fault::cancelled);
    }
    if (here.works_in_place() && todo.compute) co_return timed(todo, io::clock::now());
    outcome said = failure(fault::cancelled);
    bool gone = false;
    coro::scope both{co_await coro::this_context()};
    if (auto begun = both.spawn(do_it(here, both, todo, said)); !begun) {
        co_return failure(begun.error());
    }
    // The blocking engine waits for one thing at a time, and never comes here before it is done.
    if (both.size() > 0) static_cast<void>(both.spawn(watch(from, both, gone)));
    co_await both.join();
    if (gone && !said) tally_->abandoned.fetch_add(1, std::memory_order_relaxed);
    co_return said;
}

coro::task<void> compute::do_it(io::engine& here, coro::scope& both, effort& todo, outcome& into) {
    if (todo.compute) {
        into = co_await offload(here, todo);
    } else {
        auto slept = co_await io::sleep_for(here, todo.sleep);
        if (slept) into = std::move(todo.slept);
    }
    both.cancel();
}

coro::task<void> compute::watch(messages& from, coro::scope& both, bool& gone) {
    // Another question is here already, or the client said that there will be none: it is not
    // watched any further, and the next send will tell.
    if (from.ended() || !from.drained()) co_return;
    auto read = co_await from.more();
    if (read || read.error() == fault::cancelled) co_return;
    gone = true;
    both.cancel();
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
    auto said = todo.compute();
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
    auto sent = co_await client.peer().send_all(out);
    if (!sent) co_return;
    co_await net::lingering_close(client.peer(), client.patience());
}

io::offload_pool* compute::pool() noexcept {
    const std::lock_guard lock{mutex_};
    if (pool_ == nullptr) {
        try {
            pool_ = std::make_unique<io::offload_pool>(io::offload_pool::options{
                .workers = model::workers_of(options_.workers), .queue = options_.queue});
        } catch (const std::system_error&) {
            return nullptr;
        }
    }
    return pool_.get();
}

model::service replying(std::function<std::string(std::string_view)> f, compute_options o) {
    auto kept = std::make_shared<compute>(make_function(std::move(f)), o);
    return [kept, serve = kept->service()](model::guest& client) { return serve(client); };
}

}  // namespace sluice::service
