// Implements the shared part of `files put` and `files get`.
#include "sluice/cli/files/client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <utility>

#include <nlohmann/json.hpp>

#include "sluice/cli/log.hpp"
#include "sluice/cli/open_engine.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/stop_signals.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/io/run.hpp"
#include "sluice/net/address.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::cli {
namespace {

double rate_of(const file_outcome& f) {
    const auto moved = static_cast<double>(f.bytes - std::min(f.bytes, f.resumed_from));
    return f.seconds > 0 ? moved / f.seconds : 0;
}

exit_status status_of(files::transfer_error_kind kind) noexcept {
    switch (kind) {
        case files::transfer_error_kind::failed: return exit_status::failed;
        case files::transfer_error_kind::unreachable: return exit_status::unreachable;
        case files::transfer_error_kind::corrupted: return exit_status::corrupted;
        case files::transfer_error_kind::cancelled: return exit_status::interrupted;
    }
    return exit_status::failed;
}

}  // namespace

void add_client_options(CLI::App& command, client_settings& into) {
    constexpr std::uint64_t many = 1'000'000;
    add_value(command, "--progress", into.progress, one_of{progress_style_names}, "HOW",
              "auto, bar, json (an object a line, on stderr) or none (auto: a bar on a terminal)");
    add_value(command, "--retry", into.retries, count_from{0, many}, "N",
              "Attempts after the first, when the server or the connection went away (8)");
    add_value(command, "--timeout", into.timeout, read_duration, "TIME",
              "How long a connection may take, and how long nothing may move (60s)");
    add_client_tls_options(command, into.tls, false);
    add_client_login_options(command, into.login);
    add_engine_option(command, into.engine);
}

std::string done_as_json(const file_outcome& f) {
    nlohmann::ordered_json j;
    j["event"] = "done";
    j["file"] = f.file;
    j["to"] = f.other;
    j["bytes"] = f.bytes;
    j["resumed_from"] = f.resumed_from;
    j["seconds"] = std::round(f.seconds * 1000) / 1000;
    j["rate"] = std::llround(rate_of(f));
    j["sha256"] = f.sha256 ? nlohmann::json(http::to_hex(*f.sha256)) : nlohmann::json(nullptr);
    j["verified"] = f.verified;
    return json_text(j);
}

std::string details_of(const file_outcome& f) {
    std::string text = f.sha256 ? fmt::format(" (sha256 {}{})", http::to_hex(*f.sha256),
                                              f.verified ? "" : ", not confirmed by the other side")
                                : std::string{};
    text += fmt::format(" in {:.3f} s", f.seconds);
    if (f.resumed_from > 0 && f.resumed_from == f.bytes) return text + "; all of it was there";
    text += fmt::format(", {}/s", wire::format_size(static_cast<std::uint64_t>(rate_of(f))));
    if (f.resumed_from > 0) {
        text += fmt::format("; the first {} were there", wire::format_size(f.resumed_from));
    }
    return text;
}

exit_status report_error(const progress_display& display, const std::string& file,
                         const files::transfer_error& t) {
    const auto status = status_of(t.kind);
    if (display.in_json()) {
        nlohmann::ordered_json j;
        j["event"] = "failed";
        j["file"] = file;
        j["error"] = t.what;
        j["status"] = static_cast<int>(status);
        show_on_stderr(json_text(j));
    } else {
        announce(fmt::format("sluice: {}: {}", in_quotes(file), t.what));
    }
    return status;
}

exit_status worse(exit_status a, exit_status b) noexcept {
    constexpr std::array order{exit_status::done,        exit_status::failed,
                               exit_status::unreachable, exit_status::corrupted,
                               exit_status::usage,       exit_status::interrupted};
    return std::ranges::find(order, a) < std::ranges::find(order, b) ? b : a;
}

exit_status run_client(const client_settings& s, const http::url& to, files::client_options o,
                       progress_display& display, const client_work& work) {
    auto where = net::resolve(to.authority);
    if (!where) {
        return report_error(
            display, to.to_string(),
            {.kind = files::transfer_error_kind::unreachable,
             .what = fmt::format("cannot find {} ({}); check the name, or give an IP address",
                                 in_quotes(to.authority), where.error().message())});
    }
    auto engine = open_engine(s.engine.value_or(engine_request::automatic));
    if (!engine) {
        return report_error(display, to.to_string(),
                            {.kind = files::transfer_error_kind::failed, .what = engine.error()});
    }
    auto login = open_client_login(s.login, *where, to.over_tls);
    if (!login) {
        return report_error(display, to.to_string(),
                            {.kind = files::transfer_error_kind::failed, .what = login.error()});
    }
    if (to.scheme == http::url_scheme::tcp) {
        o.login = std::move(*login);
    } else if (*login) {
        o.authorization = authorization_field(**login);
    }
    std::unique_ptr<tls::client_context> over;
    if (to.over_tls) {
        auto made = open_client_tls(s.tls, to.authority);
        if (!made) {
            return report_error(display, to.to_string(),
                                {.kind = files::transfer_error_kind::failed, .what = made.error()});
        }
        over = std::move(*made);
        o.over = over.get();
        if (to.scheme == http::url_scheme::http) o.protocol = "http/1.1";
    }
    o.where = std::move(*where);
    o.authority = to.authority;
    o.timeout = s.timeout;
    if (s.retries) {
        o.retries = static_cast<unsigned>(*s.retries);
        o.insist = true;
    }
    o.on_retry = [&display](const files::transfer_error& why, io::duration pause) {
        display.report_retry(why, pause);
    };
    io::offload_pool readers{{.workers = 1}};
    files::link link{**engine, readers, o};
    coro::context root{(*engine)->ready()};
    exit_status status = exit_status::done;
    int signal = 0;
    {
        const stop_signals stops{**engine, [&root] { root.cancel(); }};
        status = io::run(**engine, work(link), root);
        link.drop();
        signal = stops.first();
    }
    display.end();
    // A question to the user that ended by Ctrl-C has failed.
    if (status == exit_status::done || signal == 0) return status;
    return signal == SIGINT ? exit_status::interrupted : exit_status::failed;
}

}  // namespace sluice::cli
