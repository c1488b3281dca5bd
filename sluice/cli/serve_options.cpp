// Implements the common options of every `serve` command.
#include "sluice/cli/serve_options.hpp"

#include <fmt/format.h>

#include <array>

#include "sluice/cli/option_sources.hpp"
#include "sluice/cli/options.hpp"

namespace sluice::cli {
namespace {

constexpr std::array<std::pair<std::string_view, engine_request>, 4> engines{
    {{"auto", engine_request::automatic},
     {"blocking", engine_request::blocking},
     {"epoll", engine_request::epoll},
     {"uring", engine_request::uring}}};

constexpr std::array<std::pair<std::string_view, model_kind>, 5> models{
    {{"sync", model_kind::sync},
     {"fork", model_kind::fork},
     {"thread", model_kind::thread},
     {"pool", model_kind::pool},
     {"event", model_kind::event}}};

constexpr std::array<std::pair<std::string_view, log_format>, 2> formats{
    {{"text", log_format::text}, {"json", log_format::json}}};

constexpr std::array<std::pair<std::string_view, log_level>, 6> levels{{{"trace", log_level::trace},
                                                                        {"debug", log_level::debug},
                                                                        {"info", log_level::info},
                                                                        {"warn", log_level::warn},
                                                                        {"error", log_level::error},
                                                                        {"off", log_level::off}}};

template <class T, std::size_t N>
std::string_view name_of(const std::array<std::pair<std::string_view, T>, N>& names, T value) {
    for (const auto& [name, each] : names) {
        if (each == value) return name;
    }
    return "?";
}

}  // namespace

std::string_view to_text(engine_request engine) noexcept {
    return name_of(engines, engine);
}

std::expected<pairing, std::string> pair_up(std::optional<engine_request> engine,
                                            std::optional<model_kind> model) {
    using enum engine_request;
    const bool waits_for_one = engine == blocking;
    if (!model) {
        return pairing{engine.value_or(automatic),
                       waits_for_one ? model_kind::sync : model_kind::event};
    }
    const bool event = *model == model_kind::event;
    // With `auto` the model decides.
    if (engine.value_or(automatic) == automatic)
        return pairing{event ? automatic : blocking, *model};
    if (event == waits_for_one) {
        return std::unexpected{fmt::format(
            "--engine {} does not go with --model {}: sync, fork, thread and pool run on "
            "blocking, event runs on epoll or uring; leave one of the two out",
            to_text(*engine), to_text(*model))};
    }
    return pairing{*engine, *model};
}

std::vector<net::network> trusted_proxies_of(const serve_options& common) {
    std::vector<net::network> all;
    for (const auto& each : common.trusted_proxies) {
        if (const auto parsed = net::network::parse(each)) all.push_back(*parsed);
    }
    return all;
}

CLI::Option* add_engine_option(CLI::App& command, std::optional<engine_request>& into) {
    return add_value(command, "--engine", into, one_of{engines}, "NAME",
                     "auto, blocking, epoll, uring (auto)");
}

namespace {

constexpr auto group = "Common to every serve";

/// `none` and an empty name stand for no file.
reading<std::string> read_configuration_name(std::string_view text) {
    return std::string{text == no_configuration ? std::string_view{} : text};
}

}  // namespace

void add_serve_options(CLI::App& serve, serve_options& into) {
    constexpr auto variable = "SLUICE_LISTEN";
    add_value(
        serve, "--listen", into.listen, read_address, "ADDRESS",
        fmt::format("HOST:PORT, PORT, unix:PATH or unix:@NAME; port 0 picks one ({})", into.listen))
        ->group(group);
    add_serve_options_of_many_listeners(serve, into, variable);
}

void add_serve_options_of_many_listeners(CLI::App& serve, serve_options& into,
                                         std::string_view variable) {
    constexpr std::uint64_t most_workers = 1024;
    constexpr std::uint64_t most_clients = 10'000'000;
    add_engine_option(serve, into.engine)->group(group);
    add_value(serve, "--model", into.model, one_of{models}, "NAME",
              "sync, fork, thread, pool, event (event)")
        ->group(group);
    add_value(serve, "--workers", into.workers, count_from{1, most_workers}, "N",
              "Threads, processes or shards (the cores, or the CPU quota of its cgroup if that is "
              "less)")
        ->group(group);
    add_value(
        serve, "--max-clients", into.max_clients, count_from{1, most_clients}, "N",
        fmt::format("Connections at a time, at each address it listens on ({})", into.max_clients))
        ->group(group);
    add_value(serve, "--max-per-address", into.max_per_address, count_from{1, most_clients}, "N",
              "Of them, from one client address (a quarter; from loopback all)")
        ->group(group);
    add_value(serve, "--rate-per-address", into.rate_per_address, count_from{1, most_clients}, "N",
              "New connections a second from one client address, and four times as many at once "
              "(500; from loopback any number)")
        ->group(group);
    add_list(serve, "--trusted-proxy", into.trusted_proxies, net::why_no_network, "ADDRESS[/BITS]",
             "Take the addresses of clients from proxies there, or from those that come by a Unix "
             "socket (unix): by the PROXY protocol, or over HTTP by X-Forwarded-For")
        ->group(group);
    add_value(serve, "--grace", into.grace, read_duration, "TIME",
              fmt::format("How long a stop may drain ({})", duration_text(into.grace)))
        ->group(group);
    serve
        .add_flag("--open", into.open,
                  "Beyond this machine, too, let everybody do what is let on it alone")
        ->group(group);
    add_server_tls_options(serve, into.tls, group);
    add_server_auth_options(serve, into.auth, group);
    add_sandbox_options(serve, into.sandbox, group);
    add_value(serve, "--metrics", into.metrics, read_address, "ADDRESS",
              "Show its counters there by HTTP: /metrics for Prometheus and sluice top, /healthz, "
              "/readyz (nowhere)")
        ->group(group);
    add_value(serve, "--metrics-max-clients", into.metrics_max_clients, count_from{1, most_clients},
              "N",
              fmt::format("Connections at a time there, beside those of --max-clients; more are "
                          "reset ({})",
                          into.metrics_max_clients))
        ->group(group);
    add_door_options(serve, into.doors, group);
    serve.add_flag("--quiet", into.quiet, "Report no coming and going")->group(group);
    add_value(serve, "--log-level", into.level, one_of{levels}, "LEVEL",
              "trace, debug, info, warn, error, off (info)")
        ->group(group);
    add_value(serve, "--log-format", into.format, one_of{formats}, "FORMAT",
              "text or json, on stderr (text)")
        ->group(group);
    add_access_options(serve, into.access, group);
    add_value(serve, "--config", into.config, read_configuration_name, "FILE",
              "Settings, as in: listen = 5000; or none (~/.config/sluice/sluice.conf, else "
              "/etc/sluice/sluice.conf)")
        ->group(group);
    serve.footer(
        fmt::format("Flags beat {}, SLUICE_ENGINE and so on, which beat --config.", variable));
}

}  // namespace sluice::cli
