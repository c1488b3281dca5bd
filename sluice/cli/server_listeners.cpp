// Implements the doors of a server: listens, explains why that fails, and makes endpoints.
#include "sluice/cli/server_listeners.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "sluice/cli/access_log.hpp"
#include "sluice/cli/inherited_sockets.hpp"
#include "sluice/cli/server_tls.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/model/with_login.hpp"
#include "sluice/os/clock.hpp"

namespace sluice::cli {
namespace {

/// Retries for a second on EADDRINUSE: the kernel frees the port of a killed io_uring server only
/// when it takes down the ring, after the process has ended.
result<unique_fd> listen_with_retry(const net::address& where, const net::listen_options& o) {
    constexpr auto timeout = std::chrono::seconds{1};
    constexpr auto pause = std::chrono::milliseconds{20};
    const auto until = io::clock::now() + timeout;
    for (;;) {
        auto socket = net::listen(where, o);
        if (socket || !socket.error().is(EADDRINUSE) || io::clock::now() > until) return socket;
        os::sleep_for(pause);
    }
}

std::string why_no_listener(const net::address& where, error why, std::string_view flag) {
    std::string advice = fmt::format("choose another address with {}", flag);
    if (where.is_unix() && why.is(EADDRINUSE)) {
        advice = fmt::format(
            "end the program that has it, or remove the file if it is no socket, or choose another "
            "with {}",
            flag);
    } else if (where.is_unix() && why.is(ENOENT)) {
        advice = "make its directory first";
    } else if (where.is_unix() && (why.is(EACCES) || why.is(EPERM) || why.is(EROFS))) {
        advice = fmt::format(
            "its directory is to be one where this user may make files, and --socket-group a group "
            "of this user; or choose another with {}",
            flag);
    } else if (why.is(EADDRINUSE) && where.port() == 0) {
        advice = "no port is free: end what has them, or widen net.ipv4.ip_local_port_range";
    } else if (why.is(EADDRINUSE)) {
        advice = fmt::format("end the program that has it, or choose another port with {}", flag);
    } else if (why.is(EACCES)) {
        advice = fmt::format("ports below 1024 are root's, choose another with {}", flag);
    } else if (why.is(EADDRNOTAVAIL)) {
        advice = fmt::format("it is no address of this machine, choose another with {}", flag);
    }
    return fmt::format("cannot listen on {}: {}; {}", where.to_string(), why.message(), advice);
}

}  // namespace

std::expected<unique_fd, std::string> open_listener(const std::string& where, std::string_view flag,
                                                    const net::listen_options& o) {
    if (auto given = inherited().take(door_of(flag)); !given.empty()) {
        return std::move(given.front().socket);
    }
    const auto addresses = net::resolve(where);
    if (!addresses) {
        return std::unexpected{
            fmt::format("cannot listen on {}: {}; check the name, or give an IP "
                        "address",
                        in_quotes(where), addresses.error().message())};
    }
    std::optional<std::string> first_refusal;
    for (const auto& address : *addresses) {
        auto socket = listen_with_retry(address, o);
        if (socket && address.is_unix()) server_supervisor().remove_at_end(address.path());
        if (socket) return std::move(*socket);
        if (!first_refusal) first_refusal = why_no_listener(address, socket.error(), flag);
    }
    return std::unexpected{*first_refusal};
}

namespace {

/// As many sockets that share an address as there are shards. Fails if another server has it:
/// unnoticed, a server that shares it too would take half of the clients.
std::expected<std::vector<unique_fd>, std::string> open_for_shards(const served_at& door,
                                                                   std::size_t shards) {
    if (auto alone = open_listener(door.where, door.flag); !alone) {
        return std::unexpected{alone.error()};
    }
    std::vector<unique_fd> all;
    auto first = open_listener(door.where, door.flag, {.share_port = true});
    if (!first) return std::unexpected{first.error()};
    all.push_back(std::move(*first));
    const auto where = net::address::local_of(all.front().get());
    while (where && all.size() < shards) {
        auto another = net::listen(*where, {.share_port = true});
        if (!another) return std::unexpected{why_no_listener(*where, another.error(), door.flag)};
        all.push_back(std::move(*another));
    }
    return all;
}

/// The sockets of a door: those that were inherited, or new ones.
std::expected<std::vector<inherited_sockets::one>, std::string> open_door(
    const served_at& door, const serve_options& common, model_kind model) {
    auto all = inherited().take(door_of(door.flag));
    for (const auto& each : all) {
        if (!each.removes_file) continue;
        if (const auto where = net::address::local_of(each.socket.get())) {
            server_supervisor().remove_at_end(where->path());
        }
    }
    if (!all.empty()) return all;
    const bool is_unix = net::address::parse(door.where).value_or(net::address{}).is_unix();
    if (is_unix || model != model_kind::event) {
        auto one = open_listener(door.where, door.flag, {.allowed = common.doors.sockets});
        if (!one) return std::unexpected{one.error()};
        all.push_back({.socket = std::move(*one), .removes_file = is_unix});
        return all;
    }
    auto made = open_for_shards(door, model::workers_of(common.workers));
    if (!made) return std::unexpected{made.error()};
    for (auto& each : *made) all.push_back({.socket = std::move(each)});
    return all;
}

}  // namespace

std::expected<open_listeners, std::string> open_all(std::vector<served_at> wanted,
                                                    const serve_options& common, model_kind model,
                                                    tls::server_context* over) {
    open_listeners all;
    for (auto& each : wanted) {
        auto opened = open_door(each, common, model);
        if (!opened) return std::unexpected{opened.error()};
        std::vector<unique_fd> sockets;
        for (auto& one : *opened) {
            all.sockets.push_back({.socket = one.socket.get(),
                                   .door = std::string{door_of(each.flag)},
                                   .removes_file = one.removes_file});
            sockets.push_back(std::move(one.socket));
        }
        const auto where = net::address::local_of(sockets.front().get()).value_or(net::address{});
        all.addresses.push_back({where, std::move(each.what), std::move(each.visitors)});
        auto first = std::move(sockets.front());
        sockets.erase(sockets.begin());
        all.endpoints.push_back(
            {.listener = std::move(first),
             .more = std::move(sockets),
             .is_complete = true,
             .serve = each.door.who == nullptr
                          ? std::move(each.serve)
                          : model::with_login(
                                std::move(each.door), std::move(each.serve),
                                {.log = access_log_of(common.access, model), .kind = each.event}),
             .state = std::move(each.state),
             .over = {.context = over,
                      .protocol = each.protocol,
                      .answer_plain = std::move(each.answer_plain),
                      .failed = log_failed_handshake}});
    }
    return all;
}

std::vector<std::string> names_of(const std::vector<served_at>& listeners) {
    std::vector<std::string> all;
    for (const auto& each : listeners) {
        const std::string name{each.flag.substr(std::min<std::size_t>(2, each.flag.size()))};
        std::string unique = name;
        for (unsigned number = 2; std::ranges::find(all, unique) != all.end(); ++number) {
            unique = fmt::format("{}-{}", name, number);
        }
        all.push_back(std::move(unique));
    }
    return all;
}

std::string say_tls(std::string_view /*first*/) {
    return std::string{tls::line_for_plain};
}

bool is_on_this_machine(const std::string& where, const serve_options& common) {
    if (!common.trusted_proxies.empty()) return false;
    const auto addresses = net::resolve(where);
    return !addresses || std::ranges::all_of(*addresses, &net::address::is_loopback);
}

std::optional<std::string> why_not_open(const serve_options& common,
                                        const std::vector<served_at>& listeners) {
    for (const auto& each : listeners) {
        if (!each.needs_open || common.open || common.auth.on() ||
            !common.tls.client_authorities.empty() || is_on_this_machine(each.where, common)) {
            continue;
        }
        return fmt::format(
            "{} {} would let everybody who can reach it {}; say --open if that is "
            "meant, or choose an address of this machine alone, as in "
            "127.0.0.1:PORT",
            each.flag, each.where, each.visitors);
    }
    return std::nullopt;
}

}  // namespace sluice::cli
