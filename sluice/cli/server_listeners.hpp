// The doors of a server: their addresses, the sockets that listen there, and who may reach them.
#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/auth/line_login.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/supervisor.hpp"
#include "sluice/model/access_log.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/tls/server_context.hpp"

namespace sluice::cli {

/// A socket that listens at `where` (net::resolve, which may block), at the first of its addresses
/// that works. Waits for an address in use, a second at most. `flag` is the flag that chose
/// `where`: a socket that was inherited for it is taken instead. The file of a Unix socket is
/// removed at the end of the server. The error is a sentence without its full stop.
[[nodiscard]] std::expected<unique_fd, std::string> open_listener(
    const std::string& where, std::string_view flag = "--listen",
    const net::listen_options& o = {});

/// A line for people who speak in the clear to a door that takes lines, over TLS alone.
[[nodiscard]] std::string say_tls(std::string_view first);

/// A service and its address.
struct served_at {
    std::string where;  ///< for net::resolve
    model::service serve = {};
    model::state_factory state = {};  ///< instead of `serve`
    std::string what = {};            ///< its name in messages, where a command serves several
    std::string flag = "--listen";    ///< the flag that chose `where`
    std::string visitors = {};        ///< what they may do: "talk in the chat"
    bool needs_open = false;          ///< beyond this machine, serves only with --open
    auth::line_door door = {};        ///< asks clients of `serve` who they are
    /// The access log has those whom `door` turns away as such events.
    model::access_kind event = model::access_kind::question;
    /// Over TLS: the name of its protocol in ALPN, which is static, and what it answers to clients
    /// that do not speak TLS (tls::door).
    std::string_view protocol = "sluice";
    std::function<std::string(std::string_view first)> answer_plain = say_tls;
};

/// An address with a listener, the name of its service, and what visitors may do.
struct bound_address {
    net::address where;
    std::string what;
    std::string visitors;
};

/// Listeners with their services, their addresses, and their sockets for a successor.
struct open_listeners {
    std::vector<model::endpoint> endpoints;
    std::vector<bound_address> addresses;
    std::vector<supervisor::handed> sockets;
};

/// Listens for all of `wanted`, at sockets that were inherited or are new; over TLS with `over`,
/// which outlives them. May block. The error is a sentence without its full stop.
[[nodiscard]] std::expected<open_listeners, std::string> open_all(std::vector<served_at> wanted,
                                                                  const serve_options& common,
                                                                  model_kind model,
                                                                  tls::server_context* over);

/// Short names of the listeners, for labels: their flags; a number behind it where several have the
/// same.
[[nodiscard]] std::vector<std::string> names_of(const std::vector<served_at>& listeners);

/// Whether only programs on this machine reach a server at `where` (net::resolve, which may block):
/// not if it trusts proxies, which let others in. True where it has no address: to listen fails
/// then.
[[nodiscard]] bool is_on_this_machine(const std::string& where, const serve_options& common);

/// Why a service may not be let beyond this machine, a sentence without its full stop. May block.
[[nodiscard]] std::optional<std::string> why_not_open(const serve_options& common,
                                                      const std::vector<served_at>& listeners);

}  // namespace sluice::cli
