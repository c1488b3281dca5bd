// Implements load_client: a coroutine per client, and the counts of answers and errors.
#include "sluice/compute/client/load_client.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "sluice/auth/line_login.hpp"
#include "sluice/base/check.hpp"
#include "sluice/compute/refusals.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/dial.hpp"
#include "sluice/net/framed.hpp"
#include "sluice/tls/handshake.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::compute {
namespace {

using namespace std::chrono_literals;

constexpr auto report_pause = 100ms;

coro::task<bool> is_cancelled() {
    co_return (co_await coro::this_context()).cancelled();
}

constexpr std::array refusals{refusal::not_a_number, refusal::out_of_range, refusal::too_long,
                              refusal::busy,         refusal::late,         refusal::failed};

}  // namespace

load_client::load_client(io::engine& engine, load_client_options options)
    : engine_{engine}, options_{std::move(options)} {
    check(!options_.where.empty(), "a load client needs an address");
    wire::append_framed(line_, options_.question, true);
}

coro::task<load_client_result> load_client::run(std::function<void(std::uint64_t)> progress) {
    root_.emplace(co_await coro::this_context());
    if (stopped_) root_->cancel();
    const auto begun = io::clock::now();
    {
        coro::scope reporting{*root_};
        if (progress) static_cast<void>(reporting.spawn(report(progress)));
        auto all = ask_all();
        all.set_context(*root_);
        co_await all;
        reporting.cancel();
        co_await reporting.join();
    }
    result_.elapsed = io::clock::now() - begun;
    root_.reset();
    co_return std::move(result_);
}

void load_client::stop() noexcept {
    stopped_ = true;
    if (root_) root_->cancel();
}

coro::task<void> load_client::ask_all() {
    coro::scope clients{co_await coro::this_context()};
    for (unsigned i = 0; i < options_.clients && !stopped_; ++i) {
        if (auto begun = clients.spawn(run_client()); !begun) record_failure(begun.error());
    }
    co_await clients.join();
}

coro::task<void> load_client::run_client() {
    for (auto left = options_.requests; left > 0 && !stopped_;) {
        const auto since = io::clock::now();
        const auto server = co_await connect();
        if (server == nullptr) {
            const bool cancelled = co_await is_cancelled();
            if (cancelled) co_return;
            --left;
            continue;
        }
        result_.reached = true;
        const auto answered =
            co_await ask_on_connection(*server, options_.reconnect ? 1 : left, since);
        left -= answered;
    }
}

coro::task<std::uint64_t> load_client::ask_on_connection(net::connection& server,
                                                         std::uint64_t left, io::time_point since) {
    net::framed<net::connection> answers{server, wire::framing::line, options_.max_line};
    std::uint64_t answered = 0;
    while (answered < left) {
        if (!options_.reconnect) since = io::clock::now();
        ++answered;
        const auto until = io::after(since, options_.timeout);
        auto sent = co_await io::with_deadline(engine_, server.send_all(line_), until);
        if (!sent) {
            record_failure(sent.error());
            break;
        }
        auto answer = co_await io::with_deadline(engine_, answers.next(), until);
        if (!answer || !*answer) {
            record_failure(answer ? error{fault::ended} : answer.error());
            break;
        }
        if ((*answer)->text == auth::question) {
            record_refusal("the server asks who you are; say --user NAME or --token-file FILE");
            break;
        }
        record_answer((*answer)->text, io::clock::now() - since);
    }
    co_await server.close();
    co_return answered;
}

coro::task<std::unique_ptr<net::connection>> load_client::connect() {
    auto dialed = co_await net::dial_any(engine_, options_.where, options_.timeout);
    if (!dialed) {
        const bool first = !dialed.refusals.empty() && dialed.why() != fault::cancelled;
        record_failure(first ? dialed.refusals.front().why : dialed.why());
        co_return nullptr;
    }
    auto opened = co_await tls::open_connection(engine_, std::move(dialed.socket), options_.over,
                                                "sluice", options_.timeout);
    if (opened && options_.login) {
        auto known = co_await auth::log_in(**opened, *options_.login, options_.timeout);
        if (!known) {
            const auto& [what, why] = known.error();
            if (why.is(EACCES)) {
                record_refusal(what);
            } else if (why != fault::cancelled) {
                record_failure(what);
            }
            co_return nullptr;
        }
    }
    if (opened) co_return std::move(*opened);
    if (opened.error().why != fault::cancelled) record_failure(opened.error().what);
    co_return nullptr;
}

coro::task<void> load_client::report(const std::function<void(std::uint64_t)>& progress) {
    for (;;) {
        auto slept = co_await io::sleep_for(engine_, report_pause);
        progress(finished_);
        if (!slept) co_return;
    }
}

void load_client::record_answer(std::string_view answer, io::duration took) {
    ++finished_;
    if (std::ranges::find(refusals, answer) != refusals.end()) {
        if (!result_.refusal) result_.refusal = std::string{answer};
        ++result_.errors[std::string{answer}];
        return;
    }
    result_.took.add(static_cast<std::uint64_t>(took.count()));
    ++result_.answered;
    if (!result_.answer) result_.answer = std::string{answer};
    if (*result_.answer != answer) ++result_.errors["another answer"];
}

void load_client::record_failure(error why) {
    if (why != fault::cancelled) record_failure(why.message());
}

void load_client::record_refusal(const std::string& why) {
    stopped_ = true;
    result_.reached = true;
    ++finished_;
    ++result_.errors[why];
}

void load_client::record_failure(const std::string& why) {
    result_.lost = true;
    ++finished_;
    ++result_.errors[why];
}

}  // namespace sluice::compute
