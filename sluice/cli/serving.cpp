// Opens, or says why not.
#include "sluice/cli/serving.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <optional>
#include <string_view>

#include "sluice/cli/log.hpp"
#include "sluice/cli/words.hpp"
#include "sluice/io/engines/uring_probe.hpp"

namespace sluice::cli {
namespace {

std::string why_no_uring(error refusal) {
    const auto support = io::probe_uring();
    if (support.usable) {
        return fmt::format("io_uring cannot be set up ({}); use --engine epoll", refusal.message());
    }
    return fmt::format("io_uring does not work here: {}; {}, or use --engine epoll",
                       support.why_not, support.remedy);
}

std::string why_no_door(const net::address& where, error why) {
    std::string_view advice = "choose another address with --listen";
    if (why.is(EADDRINUSE)) {
        advice = "end the program that has it, or choose another port with --listen";
    } else if (why.is(EACCES)) {
        advice = "ports below 1024 are root's, choose another with --listen";
    } else if (why.is(EADDRNOTAVAIL)) {
        advice = "it is no address of this machine, choose another with --listen";
    }
    return fmt::format("cannot listen on {}: {}; {}", where.to_string(), why.message(), advice);
}

}  // namespace

std::expected<std::unique_ptr<io::engine>, std::string> open_engine(engine_request wanted) {
    auto kind = io::engine_kind::epoll;
    std::string reason;
    switch (wanted) {
        case engine_request::automatic:
            kind = io::automatic_engine().kind;
            reason = io::automatic_engine().reason;
            break;
        case engine_request::blocking: kind = io::engine_kind::blocking; break;
        case engine_request::epoll: break;
        case engine_request::uring: kind = io::engine_kind::uring; break;
    }
    auto made = io::make_engine(kind);
    if (!made && wanted == engine_request::automatic && kind == io::engine_kind::uring) {
        reason = made.error().message();
        made = io::make_engine(io::engine_kind::epoll);
    }
    if (made) {
        if (!reason.empty()) {
            announce(fmt::format("io_uring does not work here, so epoll is used: {}", reason));
        }
        return std::move(*made);
    }
    if (wanted == engine_request::uring) return std::unexpected{why_no_uring(made.error())};
    return std::unexpected{
        fmt::format("cannot set up the engine {}: {}", io::to_text(kind), made.error().message())};
}

std::expected<unique_fd, std::string> open_door(const std::string& where,
                                                const net::listen_options& o) {
    const auto addresses = net::resolve(where);
    if (!addresses) {
        return std::unexpected{
            fmt::format("cannot listen on {}: {}; check the name, or give an IP "
                        "address",
                        in_quotes(where), addresses.error().message())};
    }
    std::optional<std::string> first_refusal;
    for (const auto& address : *addresses) {
        auto socket = net::listen(address, o);
        if (socket) return std::move(*socket);
        if (!first_refusal) first_refusal = why_no_door(address, socket.error());
    }
    return std::unexpected{*first_refusal};
}

void announce_listening(const net::address& where, model_kind model, io::engine_kind engine) {
    announce(fmt::format("listening on {} ({}, {})", where.to_string(), to_text(model),
                         io::to_text(engine)));
}

}  // namespace sluice::cli
