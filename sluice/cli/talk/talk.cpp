// `sluice talk`: a server and a client whose users talk in turn.
#include "sluice/talk/talk.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/cli/access_log.hpp"
#include "sluice/cli/auth/client_login.hpp"
#include "sluice/cli/client_tls.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/message_options.hpp"
#include "sluice/cli/open_engine.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/part.hpp"
#include "sluice/cli/reload.hpp"
#include "sluice/cli/run_server.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/server_metrics.hpp"
#include "sluice/cli/server_signals.hpp"
#include "sluice/cli/server_start.hpp"
#include "sluice/cli/service_manager.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/stop_signals.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/supervisor.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/cli/watchdog.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/io/run.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/listener.hpp"
#include "sluice/os/terminal.hpp"
#include "sluice/talk/conversation.hpp"
#include "sluice/term/console.hpp"
#include "sluice/term/terminal_ui.hpp"

namespace sluice::cli {
namespace {

using talk::conversation_options;
using talk::talk_end;

struct talk_serve_settings {
    server_command server;
    conversation_options conversation;
    bool keep = false;
    std::chrono::milliseconds idle_time{std::chrono::minutes{5}};
};

struct talk_join_settings {
    std::string where = "127.0.0.1:5000";
    std::optional<engine_request> engine;
    conversation_options conversation;
    client_tls_options tls;
    client_login_options login;
};

/// Writes status messages to stderr, and a prompt where a person types.
class status_output {
 public:
    status_output(log_format format, bool quiet) noexcept
        : format_{format},
          quiet_{quiet},
          prompts_{os::is_terminal(STDIN_FILENO) && os::is_terminal(STDERR_FILENO)} {}

    void info(std::string_view what) {
        if (quiet_) return;
        leave_prompt();
        announce(what);
    }
    void error(std::string_view what) {
        leave_prompt();
        if (format_ == log_format::json) return log(log_level::error, what);
        announce(fmt::format("sluice: {}", what));
    }
    void prompt() {
        // A line that was typed ahead needs no prompt.
        if (!prompts_ || io::poll::poll_now(STDIN_FILENO, io::interest::in) == 0) return;
        show_on_stderr("> ");
        prompted_ = true;
    }
    /// The typed line has ended the line of the prompt.
    void line_entered() noexcept { prompted_ = false; }

 private:
    void leave_prompt() {
        if (std::exchange(prompted_, false)) show_on_stderr("\n");
    }

    log_format format_;
    bool quiet_;
    bool prompts_;
    bool prompted_ = false;
};

/// The terminal UI on the program's stdin and stdout.
class stdio_ui {
 public:
    /// The error is a sentence without its full stop.
    static std::expected<std::unique_ptr<stdio_ui>, std::string> open(io::engine& engine,
                                                                      status_output& status,
                                                                      std::size_t max_line) {
        const auto& given = settle_standard_streams();
        if (!given.out) {
            return std::unexpected{
                "standard output is closed, but what the other side says is written there; "
                "leave it open, or direct it to a file"};
        }
        auto screen = term::console::open(engine, STDOUT_FILENO);
        auto keyboard = term::console::open(engine, STDIN_FILENO);
        if (!screen || !keyboard) {
            const auto why = screen ? keyboard.error() : screen.error();
            return std::unexpected{
                fmt::format("cannot use standard input and output: {}", why.message())};
        }
        return std::unique_ptr<stdio_ui>{
            new stdio_ui{std::move(*keyboard), std::move(*screen), status, max_line}};
    }

    /// For a server that answers by itself: no keyboard, and clients do not wait for stdout.
    static std::expected<std::unique_ptr<stdio_ui>, std::string> of_echo(status_output& status) {
        return std::unique_ptr<stdio_ui>{new stdio_ui{status}};
    }

    [[nodiscard]] term::terminal_ui& get() noexcept { return ui_; }

 private:
    stdio_ui(std::unique_ptr<term::console> keyboard, std::unique_ptr<term::console> screen,
             status_output& status, std::size_t max_line)
        : keyboard_{std::move(keyboard)},
          screen_{std::move(screen)},
          ui_{keyboard_.get(), *screen_, callbacks_of(status), max_line} {}

    explicit stdio_ui(status_output& status) : ui_{lines_to_stdout(false), callbacks_of(status)} {}

    static term::status_callbacks callbacks_of(status_output& status) {
        return {.on_event = [&status](std::string_view what) { status.info(what); },
                .on_error = [&status](std::string_view what) { status.error(what); },
                .prompt = [&status] { status.prompt(); },
                .answered = [&status] { status.line_entered(); }};
    }

    std::unique_ptr<term::console> keyboard_;
    std::unique_ptr<term::console> screen_;
    term::terminal_ui ui_;
};

exit_status status_of(talk_end end, int signal) noexcept {
    // Whatever else ended by Ctrl-C, such as a question to the user.
    if (end != talk_end::done && signal == SIGINT) return exit_status::interrupted;
    switch (end) {
        case talk_end::done:
        case talk_end::stopped: return exit_status::done;
        case talk_end::peer_gone: return exit_status::unreachable;
        case talk_end::failed: break;
    }
    return exit_status::failed;
}

exit_status fail(status_output& status, std::string_view why) {
    status.error(why);
    return exit_status::failed;
}

/// Echoes to a client, and shows its messages.
coro::task<void> echo_to(model::session& client, conversation_options o, status_output& status,
                         model::access_log* access) {
    const model::access_span span{access, client};
    const auto peer = client.address();
    if (!peer) co_return;
    term::terminal_ui ui{lines_to_stdout(false),
                         {.on_event = [&status](std::string_view what) { status.info(what); },
                          .on_error = [&status](std::string_view what) { status.error(what); },
                          .prompt = {},
                          .answered = {}}};
    talk::conversation talk{client.peer(), fmt::format("Client {}", peer->to_string()), ui, o};
    const auto how = co_await talk.run(talk::beginner::they, client.drain_context());
    span.end(talk::access_of(talk, how), client);
}

/// Echoes to many clients at once.
exit_status serve_echoes(const commands& all, talk_serve_settings& s, const pairing& pair) {
    const auto& command = all.command();
    auto& common = s.server.common;
    const auto who = prepare_door(command, common, pair.model);
    if (!who) return who.error();
    status_output status{common.format, common.quiet};
    model::access_log* const access = access_log_of(common.access, pair.model);
    const auto serve_one = [&status, &s, access](model::session& client) {
        return echo_to(client, s.conversation, status, access);
    };
    return run_server(all, s.server, pair,
                      {.listeners = {{.where = common.listen,
                                      .serve = serve_one,
                                      .visitors = "be echoed to",
                                      .door = door_with_right(who->get(), "talk", "talk here"),
                                      .event = model::access_kind::conversation}},
                       .who = who->get()});
}

/// For SIGUSR2: says once that there will be no successor.
std::function<void()> refuse_upgrade() {
    return [said = false]() mutable {
        if (std::exchange(said, true)) return;
        log(log_level::warn,
            "SIGUSR2: talk serve has one conversation, so none takes its place; this server goes "
            "on");
    };
}

exit_status serve_talk(const commands& all, talk_serve_settings& s) {
    const auto& command = all.command();
    auto& common = s.server.common;
    // A person may take any time to answer; an echo has an idle timeout.
    if (s.conversation.echo) s.conversation.idle_time = s.idle_time;
    settle_standard_streams();
    const auto pair = pair_up(common.engine, common.model);
    if (!pair) return report_usage_error(command, pair.error());
    if (pair->model != model_kind::event && pair->model != model_kind::sync) {
        if (s.conversation.echo && s.keep) return serve_echoes(all, s, *pair);
        return report_usage_error(
            command, fmt::format("--model {} has nothing to spread here, for talk serves one "
                                 "client at a time; use --model event or --model sync, or let "
                                 "it answer many by itself with --echo --keep",
                                 to_text(pair->model)));
    }
    const auto who = prepare_door(command, common, pair->model);
    if (!who) return who.error();
    status_output status{common.format, common.quiet};
    auto engine = open_engine(pair->engine, engine_options_in(common.sandbox));
    if (!engine) return fail(status, engine.error());
    auto ui = s.conversation.echo ? stdio_ui::of_echo(status)
                                  : stdio_ui::open(**engine, status, s.conversation.max_line);
    if (!ui) return fail(status, ui.error());
    auto socket = open_listener(common.listen, "--listen", {.allowed = common.doors.sockets});
    if (!socket) return fail(status, socket.error());
    std::unique_ptr<tls::server_context> over;
    if (common.tls.on()) {
        auto made = open_server_tls(common.tls, 1);
        if (!made) return fail(status, made.error());
        over = std::move(*made);
    }
    net::listener listener{**engine, std::move(*socket), io::accepting::one_by_one};
    talk::talk_server server{listener,
                             (*ui)->get(),
                             {.conversation = s.conversation,
                              .keep = s.keep,
                              .grace = common.grace,
                              .over = {.context = over.get(),
                                       .protocol = "sluice",
                                       .answer_plain = say_tls,
                                       .failed = log_failed_handshake},
                              .door = door_with_right(who->get(), "talk", "talk here"),
                              .trusted_proxies = trusted_proxies_of(common),
                              .access = access_log_of(common.access, pair->model)}};
    if (auto logged = open_access_log(common.access); !logged) return fail(status, logged.error());
    const count_function count = [&server](metrics::collection& to) {
        to.add({.title = "talk",
                .part = "sluice_talk",
                .samples = {{.name = "conversations",
                             .value = server.conversations(),
                             .description = "that have begun"}}});
    };
    if (const auto why = why_no_metrics(common)) return report_usage_error(command, *why);
    std::unique_ptr<server_metrics> observed;
    if (!common.metrics.empty()) {
        auto made = server_metrics::open({.common = common,
                                          .model = pair->model,
                                          .engine = (*engine)->which(),
                                          .outer = **engine,
                                          .over = over.get(),
                                          .who = who->get(),
                                          .doors = {},
                                          .count = count});
        if (!made) return fail(status, made.error());
        observed = std::move(*made);
    }
    const auto stop = [&server, &observed] {
        manager().stopping();
        if (observed) observed->set(metrics::readiness::draining);
        server.stop();
    };
    const server_signals signals{**engine, stop,
                                 [&count] {
                                     announcing(count)();
                                     announce_access_log();
                                 },
                                 reload{all, s.server, {.who = who->get(), .over = over.get()}},
                                 refuse_upgrade()};
    const auto policy =
        sandbox_of(common, pair->model, (*engine)->which(), {.rings_come_later = false});
    unique_fd pid_file;
    const auto confined = settle(common, policy, {}, pid_file);
    if (!confined) return fail(status, confined.error());
    if (observed) {
        if (auto started = observed->start(nullptr); !started) {
            return fail(status, fmt::format("cannot show metrics: {}", started.error().message()));
        }
    }
    // Before the announcement, as its reader may stop the server at once.
    const stop_signals signals_to_stop{**engine, stop};
    const watchdog alive{**engine};
    const auto where = listener.local().value_or(net::address{});
    announce_listening(where, pair->model, (*engine)->which());
    if (over) announce_fingerprint(*over);
    announce_sandbox(common, *confined);
    if (observed) observed->announce();
    announce_ready({{.where = where, .what = "talk", .visitors = {}}});
    const talk_end end = io::run(**engine, server.run());
    manager().stopping();
    server_supervisor().end();
    return status_of(end, signals_to_stop.first());
}

exit_status join_talk(talk_join_settings s) {
    settle_standard_streams();
    status_output status{log_format::text, false};
    const bool over_tls = take_tls_prefix(s.where) || s.tls.asked;
    auto where = net::resolve(s.where);
    if (!where) {
        status.error(fmt::format("cannot find {} ({}): check the name, or give an IP address",
                                 in_quotes(s.where), where.error().message()));
        return exit_status::unreachable;
    }
    auto engine = open_engine(s.engine.value_or(engine_request::automatic));
    if (!engine) return fail(status, engine.error());
    auto ui = stdio_ui::open(**engine, status, s.conversation.max_line);
    if (!ui) return fail(status, ui.error());
    std::unique_ptr<tls::client_context> over;
    if (over_tls) {
        auto made = open_client_tls(s.tls, s.where);
        if (!made) return fail(status, made.error());
        over = std::move(*made);
    }
    auto login = open_client_login(s.login, *where, over_tls);
    if (!login) return fail(status, login.error());
    talk::talk_client client{**engine,       std::move(*where), (*ui)->get(),
                             s.conversation, over.get(),        std::move(*login)};
    const stop_signals stops{**engine, [&client] { client.stop(); }};
    const talk_end end = io::run(**engine, client.run());
    return status_of(end, stops.first());
}

void add_conversation_options(CLI::App& command, conversation_options& into) {
    add_framing_option(command, into.framing);
    add_max_line_option(command, into.max_line, "message");
}

void add_serve(commands& all, CLI::App& talk) {
    auto* serve_command = talk.add_subcommand("serve", "Wait for a client and answer it");
    auto settings = std::make_shared<talk_serve_settings>();
    add_conversation_options(*serve_command, settings->conversation);
    serve_command->add_flag("--echo", settings->conversation.echo,
                            "Answer with what was said instead of asking you");
    serve_command->add_flag("--keep", settings->keep, "After a conversation take the next client");
    add_value(*serve_command, "--idle-time", settings->idle_time, read_duration, "TIME",
              "With --echo, how long a client may say or read nothing (5m)");
    add_serve_options(*serve_command, settings->server.common);
    all.on(
        *serve_command, [&all, settings] { return serve_talk(all, *settings); },
        std::shared_ptr<server_command>{settings, &settings->server});
}

void add_join(commands& all, CLI::App& talk) {
    auto* join_command = talk.add_subcommand("join", "Call a server and say the first word");
    auto settings = std::make_shared<talk_join_settings>();
    add_value(*join_command, "ADDRESS", settings->where, read_server_address, "",
              fmt::format("HOST:PORT or PORT, with tls:// in front of it over TLS ({})",
                          settings->where));
    add_conversation_options(*join_command, settings->conversation);
    add_client_tls_options(*join_command, settings->tls, true);
    add_client_login_options(*join_command, settings->login);
    add_engine_option(*join_command, settings->engine);
    all.on(*join_command, [settings] { return join_talk(*settings); });
}

}  // namespace

void add_talk(commands& all) {
    auto* talk = all.root().add_subcommand("talk", "Talk with one other side, strictly in turn");
    talk->require_subcommand(1);
    add_serve(all, *talk);
    add_join(all, *talk);
}

}  // namespace sluice::cli
