// A connection to the endpoint of metrics under any bytes and any split, on epoll and io_uring: the
// same answers, and no metrics for a client that proved nothing.
#include <csignal>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "fuzz/door.hpp"
#include "fuzz/sample_accounts.hpp"
#include "sluice/auth/authenticator.hpp"
#include "sluice/base/check.hpp"
#include "sluice/http/visitor_origin.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"
#include "sluice/io/signal_handler.hpp"
#include "sluice/metrics/door.hpp"
#include "sluice/net/listener.hpp"

namespace sluice::fuzz::metrics_door_target {
namespace {

constexpr std::string_view secret = "sluice_things_total 7";

metrics::collection collect() {
    metrics::collection all;
    all.add({.title = "t",
             .part = "sluice",
             .samples = {{.name = "things", .value = 7, .description = "seen"}}});
    return all;
}

/// The main function of a server process.
void serve(io::engine_kind kind, bool asks) {
    const auto engine = io::make_engine(kind).value();
    coro::context root{engine->ready()};
    const io::signal_handler stop{*engine, SIGTERM, [&root](unsigned) { root.cancel(); }};
    auth::authenticator who{sample_accounts("metrics"), {}};
    const http::visitor_origin origins{{}, {}, "machine"};
    metrics::door door{{.collect = &collect,
                        .why_stuck = [] { return std::string{}; },
                        .who = asks ? &who : nullptr,
                        .origins = &origins}};
    door.set(metrics::readiness::ready);
    auto socket = net::listen(net::address::loopback(worlds::usual_port));
    worlds::stage::require(socket.has_value(), "it cannot listen");
    io::run(*engine, door.serve(*engine, std::move(*socket)), root);
}

/// All answers without their dates, which are those of the last piece.
std::string without_dates(std::string text) {
    constexpr std::string_view field = "\r\nDate: ";
    for (auto at = text.find(field); at != std::string::npos; at = text.find(field, at)) {
        text.erase(at, text.find("\r\n", at + field.size()) - at);
    }
    return text;
}

}  // namespace

/// Bit 3 of the first byte: the endpoint asks who the client is.
void examine(std::string_view input) {
    const bool asks = !input.empty() && (static_cast<unsigned char>(input.front()) & 8U) != 0;
    const auto said = stream::of(input);
    const auto of_engine = [&](io::engine_kind kind) {
        return same_for_any_split(said, [&](const stream& says) {
            auto heard = ask([&](worlds::stage&) { serve(kind, asks); }, says);
            check(heard.empty() || heard.starts_with("HTTP/1.1 "), "an answer is one of HTTP");
            return without_dates(std::move(heard));
        });
    };
    const auto heard = of_engine(io::engine_kind::epoll);
    check(!asks || !heard.contains(secret), "a client that proved nothing is told");
    check(of_engine(io::engine_kind::uring) == heard, "another engine answers otherwise");
}

}  // namespace sluice::fuzz::metrics_door_target
