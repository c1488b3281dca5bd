// Clients as coroutines, and what they heard.
#include "sluice/compute/client/asker.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/compute/refusals.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/dial.hpp"
#include "sluice/net/framed.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::compute {
namespace {

using namespace std::chrono_literals;

constexpr auto report_pause = 100ms;

constexpr std::array refusals{refusal::not_a_number, refusal::out_of_range, refusal::too_long,
                              refusal::busy,         refusal::late,         refusal::failed};

}  // namespace

asker::asker(io::engine& home, asking what) : home_{home}, what_{std::move(what)} {
    check(!what_.where.empty(), "a question needs an address");
    wire::append_framed(line_, what_.question, true);
}

coro::task<asked> asker::run(std::function<void(std::uint64_t)> progress) {
    everything_.emplace(co_await coro::this_context());
    if (stopped_) everything_->cancel();
    const auto begun = io::clock::now();
    {
        coro::scope reporting{*everything_};
        if (progress) static_cast<void>(reporting.spawn(report(progress)));
        auto all = ask_all();
        all.set_context(*everything_);
        co_await all;
        reporting.cancel();
        co_await reporting.join();
    }
    so_far_.elapsed = io::clock::now() - begun;
    everything_.reset();
    co_return std::move(so_far_);
}

void asker::stop() noexcept {
    stopped_ = true;
    if (everything_) everything_->cancel();
}

coro::task<void> asker::ask_all() {
    coro::scope clients{co_await coro::this_context()};
    for (unsigned i = 0; i < what_.clients && !stopped_; ++i) {
        if (auto begun = clients.spawn(be_client()); !begun) fail(begun.error());
    }
    co_await clients.join();
}

coro::task<void> asker::be_client() {
    for (auto left = what_.requests; left > 0 && !stopped_;) {
        const auto since = io::clock::now();
        auto socket = co_await call();
        if (!socket) {
            if (socket.error() == fault::cancelled) co_return;
            fail(socket.error());
            --left;
            continue;
        }
        so_far_.reached = true;
        const auto asked = co_await ask_over(std::move(*socket), what_.reconnect ? 1 : left, since);
        left -= asked;
    }
}

coro::task<std::uint64_t> asker::ask_over(unique_fd socket, std::uint64_t left,
                                          io::time_point since) {
    net::connection server{home_, std::move(socket)};
    server.send_promptly();
    net::framed<net::connection> answers{server, wire::framing::line, what_.max_line};
    std::uint64_t asked = 0;
    while (asked < left) {
        if (!what_.reconnect) since = io::clock::now();
        ++asked;
        const auto until = io::after(since, what_.timeout);
        auto sent = co_await io::with_deadline(home_, server.send_all(line_), until);
        if (!sent) {
            fail(sent.error());
            break;
        }
        auto answer = co_await io::with_deadline(home_, answers.next(), until);
        if (!answer || !*answer) {
            fail(answer ? error{fault::ended} : answer.error());
            break;
        }
        take((*answer)->text, io::clock::now() - since);
    }
    co_await server.close();
    co_return asked;
}

coro::task<result<unique_fd>> asker::call() {
    error first = fault::bad_address;
    for (const auto& address : what_.where) {
        auto socket = co_await io::with_timeout(home_, net::dial(home_, address), what_.timeout);
        if (socket || socket.error() == fault::cancelled) co_return socket;
        if (first == fault::bad_address) first = socket.error();
    }
    co_return failure(first);
}

coro::task<void> asker::report(const std::function<void(std::uint64_t)>& progress) {
    for (;;) {
        auto slept = co_await io::sleep_for(home_, report_pause);
        progress(over_);
        if (!slept) co_return;
    }
}

void asker::take(std::string_view answer, io::duration took) {
    ++over_;
    if (std::ranges::find(refusals, answer) != refusals.end()) {
        if (!so_far_.refusal) so_far_.refusal = std::string{answer};
        ++so_far_.errors[std::string{answer}];
        return;
    }
    so_far_.took.add(took);
    ++so_far_.answered;
    if (!so_far_.answer) so_far_.answer = std::string{answer};
    if (*so_far_.answer != answer) ++so_far_.errors["another answer"];
}

void asker::fail(error why) {
    if (why == fault::cancelled) return;
    so_far_.lost = true;
    ++over_;
    ++so_far_.errors[why.message()];
}

}  // namespace sluice::compute
