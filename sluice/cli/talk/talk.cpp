// `sluice talk`: one side waits for a client, the other one calls; then they talk in turn.
#include "sluice/talk/talk.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/cli/log.hpp"
#include "sluice/cli/message_options.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/server_signals.hpp"
#include "sluice/cli/serving.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/stop_signals.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/words.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/io/run.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/listener.hpp"
#include "sluice/talk/conversation.hpp"
#include "sluice/term/console.hpp"
#include "sluice/term/desk.hpp"

namespace sluice::cli {
namespace {

using talk::conversation_options;
using talk::talk_end;

struct talk_serve_settings {
    serve_options common;
    conversation_options conversation;
    bool keep = false;
    std::chrono::milliseconds idle_time{std::chrono::minutes{5}};
};

struct talk_join_settings {
    std::string where = "127.0.0.1:5000";
    std::optional<engine_request> engine;
    conversation_options conversation;
};

/// The remarks of a conversation on stderr, and a prompt where a person types.
class voice {
 public:
    voice(log_format format, bool quiet) noexcept
        : format_{format},
          quiet_{quiet},
          prompts_{::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1} {}

    void note(std::string_view what) {
        if (quiet_) return;
        leave_prompt();
        announce(what);
    }
    void complain(std::string_view what) {
        leave_prompt();
        if (format_ == log_format::json) return log(log_level::error, what);
        announce(fmt::format("sluice: {}", what));
    }
    void prompt() {
        // No prompt for a line that was typed ahead.
        if (!prompts_ || io::poll::look(STDIN_FILENO, io::interest::in) == 0) return;
        show_on_stderr("> ");
        prompted_ = true;
    }
    /// The line that was typed has ended the line of the prompt.
    void prompt_was_answered() noexcept { prompted_ = false; }

 private:
    void leave_prompt() {
        if (std::exchange(prompted_, false)) show_on_stderr("\n");
    }

    log_format format_;
    bool quiet_;
    bool prompts_;
    bool prompted_ = false;
};

/// The desk of the person who started the program, on an engine.
class own_desk {
 public:
    /// The error is a sentence without its full stop.
    static std::expected<std::unique_ptr<own_desk>, std::string> open(io::engine& home, voice& v,
                                                                      std::size_t max_line) {
        const auto& given = settle_standard_streams();
        if (!given.out) {
            return std::unexpected{
                "standard output is closed, but what the other side says is written there; "
                "leave it open, or direct it to a file"};
        }
        auto screen = term::console::open(home, STDOUT_FILENO);
        auto keyboard = term::console::open(home, STDIN_FILENO);
        if (!screen || !keyboard) {
            const auto why = screen ? keyboard.error() : screen.error();
            return std::unexpected{
                fmt::format("cannot use standard input and output: {}", why.message())};
        }
        return std::unique_ptr<own_desk>{
            new own_desk{std::move(*keyboard), std::move(*screen), v, max_line}};
    }

    /// Of a server that answers by itself: nobody types, and no client waits for its stdout.
    static std::expected<std::unique_ptr<own_desk>, std::string> of_echo(voice& v) {
        return std::unique_ptr<own_desk>{new own_desk{v}};
    }

    [[nodiscard]] term::desk& get() noexcept { return desk_; }

 private:
    own_desk(std::unique_ptr<term::console> keyboard, std::unique_ptr<term::console> screen,
             voice& v, std::size_t max_line)
        : keyboard_{std::move(keyboard)},
          screen_{std::move(screen)},
          desk_{keyboard_.get(), *screen_, remarks_of(v), max_line} {}

    explicit own_desk(voice& v) : desk_{lines_to_stdout(false), remarks_of(v)} {}

    static term::remarks remarks_of(voice& v) {
        return {.note = [&v](std::string_view what) { v.note(what); },
                .complaint = [&v](std::string_view what) { v.complain(what); },
                .prompt = [&v] { v.prompt(); },
                .answered = [&v] { v.prompt_was_answered(); }};
    }

    std::unique_ptr<term::console> keyboard_;
    std::unique_ptr<term::console> screen_;
    term::desk desk_;
};

exit_status status_of(talk_end end, int signal) noexcept {
    switch (end) {
        case talk_end::done: return exit_status::done;
        case talk_end::peer_gone: return exit_status::unreachable;
        case talk_end::failed: return exit_status::failed;
        case talk_end::stopped:
            return signal == SIGINT ? exit_status::interrupted : exit_status::done;
    }
    return exit_status::failed;
}

exit_status fail(voice& v, std::string_view why) {
    v.complain(why);
    return exit_status::failed;
}

/// Echoes to one client, and shows what it says as anybody's desk does.
coro::task<void> echo_to(model::guest& client, conversation_options o, voice& v) {
    const auto who = client.peer().peer();
    if (!who) co_return;
    term::desk place{lines_to_stdout(false),
                     {.note = [&v](std::string_view what) { v.note(what); },
                      .complaint = [&v](std::string_view what) { v.complain(what); },
                      .prompt = {},
                      .answered = {}}};
    talk::conversation talk{client.peer(), fmt::format("Client {}", who->to_string()), place, o};
    static_cast<void>(co_await talk.run(talk::beginner::they, client.patience()));
}

/// Many at once, which nobody could answer by hand.
exit_status serve_echoes(const CLI::App& command, const talk_serve_settings& s,
                         const pairing& pair) {
    set_up_output(s.common, pair.model);
    voice v{s.common.format, s.common.quiet};
    const auto serve_one = [&](model::guest& client) { return echo_to(client, s.conversation, v); };
    return run_server(command, s.common, pair,
                      {.doors = {{.where = s.common.listen, .serve = serve_one}}});
}

exit_status serve_talk(const CLI::App& command, talk_serve_settings s) {
    // A person may think for as long as it takes; nobody does behind an echo.
    if (s.conversation.echo) s.conversation.idle_time = s.idle_time;
    settle_standard_streams();
    const auto pair = pair_up(s.common.engine, s.common.model);
    if (!pair) return complain(command, pair.error());
    if (pair->model != model_kind::event && pair->model != model_kind::sync) {
        if (s.conversation.echo && s.keep) return serve_echoes(command, s, *pair);
        return complain(command,
                        fmt::format("--model {} has nothing to spread here, for talk serves one "
                                    "client at a time; use --model event or --model sync, or let "
                                    "it answer many by itself with --echo --keep",
                                    to_text(pair->model)));
    }
    set_up_output(s.common, pair->model);
    voice v{s.common.format, s.common.quiet};
    auto home = open_engine(pair->engine);
    if (!home) return fail(v, home.error());
    auto place = s.conversation.echo ? own_desk::of_echo(v)
                                     : own_desk::open(**home, v, s.conversation.max_line);
    if (!place) return fail(v, place.error());
    auto socket = open_door(s.common.listen);
    if (!socket) return fail(v, socket.error());
    net::listener door{**home, std::move(*socket), io::accepting::one_by_one};
    talk::talk_server server{
        door,
        (*place)->get(),
        {.conversation = s.conversation, .keep = s.keep, .grace = s.common.grace}};
    const server_signals others{
        **home, [&server] { server.stop(); },
        [&server] {
            announce_counters("talk", std::array{counter{"conversations", server.conversations(),
                                                         "that have begun"}});
        }};
    // Whoever reads that it listens may stop it at once.
    const stop_signals stops{**home, [&server] { server.stop(); }};
    announce_listening(door.local().value_or(net::address{}), pair->model, (*home)->which());
    const talk_end end = io::run(**home, server.run());
    return status_of(end, stops.first());
}

exit_status join_talk(const talk_join_settings& s) {
    settle_standard_streams();
    voice v{log_format::text, false};
    auto where = net::resolve(s.where);
    if (!where) {
        v.complain(fmt::format("cannot find {} ({}): check the name, or give an IP address",
                               in_quotes(s.where), where.error().message()));
        return exit_status::unreachable;
    }
    auto home = open_engine(s.engine.value_or(engine_request::automatic));
    if (!home) return fail(v, home.error());
    auto place = own_desk::open(**home, v, s.conversation.max_line);
    if (!place) return fail(v, place.error());
    talk::talk_client client{**home, std::move(*where), (*place)->get(), s.conversation};
    const stop_signals stops{**home, [&client] { client.stop(); }};
    const talk_end end = io::run(**home, client.run());
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
    add_serve_options(*serve_command, settings->common);
    all.on(*serve_command,
           [serve_command, settings] { return serve_talk(*serve_command, *settings); });
}

void add_join(commands& all, CLI::App& talk) {
    auto* join_command = talk.add_subcommand("join", "Call a server and say the first word");
    auto settings = std::make_shared<talk_join_settings>();
    add_value(*join_command, "ADDRESS", settings->where, read_address, "",
              fmt::format("HOST:PORT or PORT ({})", settings->where));
    add_conversation_options(*join_command, settings->conversation);
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
