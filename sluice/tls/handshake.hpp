// Makes a connection secure: the handshake of TLS, on either side.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/tls/client_context.hpp"
#include "sluice/tls/server_context.hpp"

namespace sluice::tls {

/// What a door that takes lines, over TLS alone, answers to those who speak in the clear.
inline constexpr std::string_view line_for_plain =
    "* this port speaks TLS: write tls:// in front of its address\n";

/// What a door says over TLS, and to those who do not speak it.
struct door {
    server_context* context = nullptr;  ///< outlives the connections; null: in the clear
    std::string_view protocol;          ///< its name in ALPN; static
    /// What is answered to a client by its first bytes, which are no TLS. May be empty.
    std::function<std::string(std::string_view first)> answer_plain = {};
    /// Told of each handshake that failed, before its connection is closed. Any thread; must not
    /// throw. May be empty.
    std::function<void(const net::connection&, error)> failed = {};
};

/// Makes a client's connection secure, within the time of the context. Counts. Before anything was
/// received. fault::tls_missing if the client spoke something else, which was answered;
/// fault::tls_broken, fault::timed_out, fault::cancelled, or an errno of the socket: the connection
/// is of no more use. With server_options::clear_too, a client that speaks something else, or
/// nothing at first, stays in the clear, which is no error.
[[nodiscard]] coro::task<result<void>> accept(net::connection& client, const door& at);

/// Why a connection was not made secure.
struct refusal {
    std::string what;  ///< a sentence without its full stop
    error why = fault::tls_broken;
    bool is_untrusted = false;  ///< the server proved nothing; another attempt is of no use
};

/// A connection on a connected socket, which sends small messages at once; made secure by
/// `context`, unless that is null. `protocol` is static.
[[nodiscard]] coro::task<std::expected<std::unique_ptr<net::connection>, refusal>> open_connection(
    io::engine& engine, unique_fd socket, client_context* context, std::string_view protocol,
    io::duration timeout);

}  // namespace sluice::tls
