// `sluice top`: scrapes the metrics of a running server twice a second, and shows what they say.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "sluice/cli/auth/client_login.hpp"
#include "sluice/cli/client_tls.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/open_engine.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/stop_signals.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/cli/top/summary.hpp"
#include "sluice/cli/top/view.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/files/client/link.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/run.hpp"
#include "sluice/metrics/scrape.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/term/colour.hpp"
#include "sluice/term/console.hpp"
#include "sluice/term/raw_terminal.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;

// Bytes of metrics, of a server that may be another.
constexpr std::size_t most_metrics = std::size_t{4} << 20;
constexpr io::duration scrape_timeout = 5s;

struct top_settings {
    std::string where;
    bool once = false;
    bool json = false;
    std::chrono::milliseconds interval{500};
    client_tls_options tls;
    client_login_options login;
};

/// HOST:PORT or PORT; or a URL of it, as Prometheus is given it.
reading<std::string> read_metrics_address(std::string_view text) {
    std::string rest{text};
    for (const std::string_view path : {"/metrics", "/"}) {
        if (rest.contains("://") && rest.ends_with(path)) rest.resize(rest.size() - path.size());
    }
    if (rest.starts_with("http://")) rest.erase(0, std::string_view{"http://"}.size());
    if (rest.starts_with("https://")) rest.replace(0, std::string_view{"https"}.size(), "tls");
    return read_server_address(rest);
}

/// A server's metrics, over a connection that is kept.
class watched_server {
 public:
    /// `o` outlives it.
    watched_server(io::engine& engine, const files::client_options& o)
        : link_{engine, readers_, o},
          request_{fmt::format("GET /metrics HTTP/1.1\r\nHost: {}\r\nAccept: text/plain\r\n{}\r\n",
                               o.authority, o.authorization)} {}

    /// The summary of the time since the last call; none at the first, or after an error.
    coro::task<files::attempt<std::optional<top::summary>>> look() {
        auto text = co_await scrape();
        // The server may have closed a connection that was idle.
        if (!text && text.error().may_pass && !link_.fresh()) {
            link_.drop();
            text = co_await scrape();
        }
        if (!text) {
            link_.drop();
            before_.reset();
            co_return std::unexpected{std::move(text.error())};
        }
        auto now = metrics::scrape::parse(*text);
        if (!now) co_return files::failed(fmt::format("what is at that address: {}", now.error()));
        const auto at = io::clock::now();
        std::optional<top::summary> found;
        if (before_) {
            const std::chrono::duration<double> passed = at - before_at_;
            const std::chrono::duration<double> unix_time = os::wall_clock_now().time_since_epoch();
            found = top::summarize(*before_, *now, passed.count(), unix_time.count());
        }
        before_ = std::move(*now);
        before_at_ = at;
        co_return found;
    }
    void drop() noexcept { link_.drop(); }

 private:
    coro::task<files::attempt<std::string>> scrape() {
        auto opened = co_await link_.open();
        if (!opened) co_return std::unexpected{std::move(opened.error())};
        auto said = co_await link_.say(request_);
        if (!said) co_return std::unexpected{std::move(said.error())};
        auto answer = co_await link_.answer(scrape_timeout);
        if (!answer) co_return std::unexpected{std::move(answer.error())};
        if (answer->head().status != 200) {
            const auto why = co_await files::why_refused(link_, *answer);
            co_return files::failed(fmt::format("the server does not show its metrics: {}", why));
        }
        auto body = co_await link_.body_of(*answer, most_metrics);
        co_return body;
    }

    io::offload_pool readers_{{.workers = 1}};
    files::link link_;
    std::string request_;
    std::optional<metrics::scrape> before_;
    io::time_point before_at_{};
};

exit_status status_of(const files::transfer_error& why) noexcept {
    return why.kind == files::transfer_error_kind::unreachable ? exit_status::unreachable
                                                               : exit_status::failed;
}

/// Two scrapes, and what they say: for a reader that is no terminal.
coro::task<exit_status> show_once(watched_server& server, io::engine& engine,
                                  const top_settings& s) {
    std::optional<top::summary> shown;
    while (!shown) {
        auto seen = co_await server.look();
        if (!seen) co_return announce_failure(seen.error().what, status_of(seen.error()));
        shown = std::move(*seen);
        if (shown) break;
        const auto slept = co_await io::sleep_for(engine, s.interval);
        if (!slept) co_return exit_status::failed;
    }
    if (s.json) {
        print(json_text(top::to_json(*shown), 2));
    } else {
        for (const auto& line : top::draw(s.where, shown, {}, {})) print(line + '\n');
    }
    co_return exit_status::done;
}

/// The view on a terminal.
class screen {
 public:
    screen(io::engine& engine, watched_server& server, const top_settings& s, term::console& out,
           bool colour)
        : engine_{engine}, server_{server}, settings_{s}, out_{out}, colour_{colour} {}

    void resize(std::size_t columns, std::size_t rows) noexcept {
        columns_ = columns == 0 ? 80 : columns;
        rows_ = rows == 0 ? 24 : rows;
        draw_again();
    }
    void draw_again() noexcept {
        is_clear_ = false;
        if (pause_ != nullptr) pause_->cancel();
    }
    /// Moves the cursor below what is drawn.
    [[nodiscard]] std::string leave() const { return fmt::format("\x1b[{};1H\r\n", rows_); }

    /// Shows the server until `q` is typed or this is cancelled.
    coro::task<exit_status> run(term::console& keyboard) {
        coro::scope both{co_await coro::this_context()};
        auto begun = both.spawn(watch(both));
        if (begun) begun = both.spawn(read_keys(keyboard, both));
        co_await both.join();
        co_return begun ? status_ : exit_status::failed;
    }

 private:
    static coro::task<void> read_keys(term::console& keyboard, coro::scope& both) {
        for (;;) {
            const auto typed = co_await keyboard.recv();
            constexpr std::string_view leaving = "qQ\x03\x04";
            if (!typed || typed->empty() ||
                typed->text().find_first_of(leaving) != std::string_view::npos) {
                break;
            }
        }
        both.cancel();
    }

    coro::task<void> watch(coro::scope& both) {
        bool was_there = false;
        for (;;) {
            const auto next = io::after(io::clock::now(), settings_.interval);
            auto seen = co_await server_.look();
            if (both.inner().cancelled()) co_return;
            if (!seen && !was_there) {
                status_ = announce_failure(seen.error().what, status_of(seen.error()));
                both.cancel();
                co_return;
            }
            was_there = true;
            message_ =
                seen ? std::string{} : fmt::format("gone, and tried again: {}", seen.error().what);
            if (seen && *seen) shown_ = std::move(*seen);
            for (;;) {
                const bool drawn = co_await draw();
                if (!drawn) co_return both.cancel();
                io::sleep_until pause{engine_, next};
                pause_ = &pause;
                const auto slept = co_await pause;
                pause_ = nullptr;
                if (both.inner().cancelled()) co_return;
                if (slept) break;
            }
        }
    }

    coro::task<bool> draw() {
        const auto lines =
            top::draw(settings_.where, shown_, message_,
                      {.columns = columns_, .rows = rows_, .colour = colour_, .keys = true});
        // Nothing is scrolled: no newline follows the last line (ECMA-48: CUP, EL, ED).
        std::string text{std::exchange(is_clear_, true) ? "\x1b[H" : "\x1b[H\x1b[2J"};
        for (std::size_t i = 0; i < lines.size(); ++i) {
            text += i == 0 ? "" : "\r\n";
            text += lines[i] + "\x1b[K";
        }
        text += "\x1b[J";
        const auto written = co_await out_.send_all(text);
        co_return written.has_value();
    }

    io::engine& engine_;
    watched_server& server_;
    const top_settings& settings_;
    term::console& out_;
    bool colour_;
    std::size_t columns_ = 80;
    std::size_t rows_ = 24;
    bool is_clear_ = false;
    io::sleep_until* pause_ = nullptr;
    std::optional<top::summary> shown_;
    std::string message_;
    exit_status status_ = exit_status::done;
};

exit_status watch_on_terminal(io::engine& engine, watched_server& server, const top_settings& s,
                              coro::context& root) {
    const auto keyboard = term::console::open(engine, STDIN_FILENO);
    const auto out = term::console::open(engine, STDOUT_FILENO);
    if (!keyboard || !out) {
        const auto why = !keyboard ? keyboard.error() : out.error();
        return announce_failure(fmt::format("cannot use the terminal: {}", why.message()));
    }
    screen view{engine, server, s, **out, term::may_colour(stdout)};
    const auto raw = term::raw_terminal::enter(
        engine,
        {.resized = [&view](std::size_t columns, std::size_t rows) { view.resize(columns, rows); },
         .suspending = [&view] { return view.leave(); },
         .resumed = [&view] { view.draw_again(); }});
    if (!raw) {
        return announce_failure(fmt::format("cannot use the terminal: {}", raw.error().message()));
    }
    const auto status = io::run(engine, view.run(**keyboard), root);
    if (status == exit_status::done) show_on_stderr(view.leave());
    return status;
}

exit_status watch(top_settings s) {
    settle_standard_streams();
    const bool over_tls = take_tls_prefix(s.where) || s.tls.asked;
    auto where = net::resolve(s.where);
    if (!where) {
        return announce_failure(
            fmt::format("cannot find {} ({}); check the name, or give an IP address",
                        in_quotes(s.where), where.error().message()),
            exit_status::unreachable);
    }
    auto login = open_client_login(s.login, *where, over_tls);
    if (!login) return announce_failure(login.error());
    std::unique_ptr<tls::client_context> over;
    if (over_tls) {
        auto made = open_client_tls(s.tls, s.where);
        if (!made) return announce_failure(made.error());
        over = std::move(*made);
    }
    files::client_options o;
    o.authority = s.where.contains(':') ? s.where : fmt::format("127.0.0.1:{}", s.where);
    o.where = std::move(*where);
    o.over = over.get();
    o.protocol = "http/1.1";
    o.timeout = scrape_timeout;
    o.server_command = "serve --metrics";
    if (*login) o.authorization = authorization_field(**login);
    auto engine = open_engine(engine_request::epoll);
    if (!engine) return announce_failure(engine.error());
    const bool on_terminal =
        !s.once && !s.json && term::is_terminal(STDIN_FILENO) && term::is_terminal(STDOUT_FILENO);
    watched_server server{**engine, o};
    coro::context root{(*engine)->ready()};
    const stop_signals stops{**engine, [&root] { root.cancel(); }};
    const auto status = on_terminal ? watch_on_terminal(**engine, server, s, root)
                                    : io::run(**engine, show_once(server, **engine, s), root);
    server.drop();
    if (stops.first() == 0) return status;
    return stops.first() == SIGINT ? exit_status::interrupted : exit_status::failed;
}

reading<std::chrono::milliseconds> read_interval(std::string_view text) {
    auto time = duration_up_to{.longest = 1h, .in_words = "an hour"}(text);
    if (time && *time < 100ms) {
        return std::unexpected{in_quotes(text) + " is too short a time; write 100ms to 1h"};
    }
    return time;
}

}  // namespace

void add_top(commands& all) {
    auto* command = all.root().add_subcommand("top", "Watch a running server, by its --metrics");
    auto s = std::make_shared<top_settings>();
    add_value(*command, "ADDRESS", s->where, read_metrics_address, "",
              "HOST:PORT or PORT of the server's --metrics; with tls:// in front of it over TLS")
        ->required();
    command->add_flag("--once", s->once,
                      "Print the numbers of one interval and end, as without a terminal");
    command->add_flag("--json", s->json, "The same in JSON");
    add_value(*command, "--interval", s->interval, read_interval, "TIME",
              "Between two looks (500ms)");
    add_client_tls_options(*command, s->tls, true);
    add_client_login_options(*command, s->login);
    command->footer("q leaves.");
    all.on(*command, [s] { return watch(*s); });
}

}  // namespace sluice::cli
