// Implements `sluice chat join`: the client, with a line editor or with plain lines.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/chat/client/chat_client.hpp"
#include "sluice/chat/client/line_editing_ui.hpp"
#include "sluice/chat/client/plain_ui.hpp"
#include "sluice/cli/auth/client_login.hpp"
#include "sluice/cli/client_tls.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/message_options.hpp"
#include "sluice/cli/open_engine.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/stop_signals.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/io/run.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/terminal.hpp"
#include "sluice/term/colour.hpp"
#include "sluice/term/console.hpp"
#include "sluice/term/raw_terminal.hpp"

namespace sluice::cli {
namespace {

using chat::chat_end;

struct chat_join_settings {
    std::string where = "127.0.0.1:5000";
    std::optional<engine_request> engine;
    chat::chat_client_options chat;
    client_tls_options tls;
    client_login_options login;
};

void announce_error(std::string_view what) {
    announce(fmt::format("sluice: {}", what));
}

exit_status fail(std::string_view why, exit_status status = exit_status::failed) {
    announce_error(why);
    return status;
}

exit_status status_of(chat_end end, int signal) noexcept {
    // Whatever else ended by Ctrl-C, such as a question to the user.
    if (end != chat_end::left && signal == SIGINT) return exit_status::interrupted;
    switch (end) {
        case chat_end::left:
        case chat_end::stopped: return exit_status::done;
        case chat_end::server_gone: return exit_status::unreachable;
        case chat_end::failed: break;
    }
    return exit_status::failed;
}

/// Whether lines can be edited: stdin and stdout are terminals that can move their cursor.
bool can_edit() noexcept {
    return term::is_terminal(STDIN_FILENO) && term::is_terminal(STDOUT_FILENO);
}

exit_status run_chat(io::engine& engine, std::vector<net::address> where,
                     chat::chat_ui& terminal_ui, const chat_join_settings& s) {
    chat::chat_client client{engine, std::move(where), terminal_ui, s.chat};
    const stop_signals stops{engine, [&client] { client.stop(); }};
    const chat_end end = io::run(engine, client.run());
    return status_of(end, stops.first());
}

/// Opens the terminal on stdout again with O_NONBLOCK, so that a write never waits. The flag
/// belongs to the new open file description alone (open(2)); the shell shares the old one.
unique_fd reopen_stdout() noexcept {
    return unique_fd{os::sys().openat(AT_FDCWD, "/proc/self/fd/1",
                                      O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)};
}

exit_status fail_to_use_streams(error why) {
    return fail(fmt::format("cannot use standard input and output: {}", why.message()));
}

exit_status chat_on_terminal(io::engine& engine, std::vector<net::address> where,
                             term::console& keyboard, const chat_join_settings& s) {
    const unique_fd reopened = reopen_stdout();
    const auto opened = term::console::open(engine, reopened ? reopened.get() : STDOUT_FILENO);
    if (!opened) return fail_to_use_streams(opened.error());
    term::console& screen = **opened;
    chat::line_editing_ui::options o{
        .max_line = s.chat.max_line, .colour = term::may_colour(stdout), .beside = {}};
    if (!os::is_terminal(STDERR_FILENO)) o.beside = announce;
    chat::line_editing_ui terminal_ui{keyboard, screen, std::move(o)};
    const auto raw = term::raw_terminal::enter(
        engine, {.resized = [&terminal_ui](std::size_t columns,
                                           std::size_t rows) { terminal_ui.resize(columns, rows); },
                 .suspending = [&terminal_ui] { return terminal_ui.take_away(); },
                 .resumed = [&terminal_ui] { terminal_ui.draw_again(); }});
    if (!raw) return fail(fmt::format("cannot use the terminal: {}", raw.error().message()));
    return run_chat(engine, std::move(where), terminal_ui, s);
}

exit_status join_chat(const CLI::App& command, chat_join_settings s) {
    const auto& given = settle_standard_streams();
    if (s.engine == engine_request::blocking) {
        return report_usage_error(
            command,
            "the engine blocking waits for one thing at a time, and a chat for the "
            "keyboard and the server at once; use --engine epoll or --engine uring");
    }
    if (!given.out) {
        return fail(
            "standard output is closed, but what the others say is written there; leave it open, "
            "or direct it to a file");
    }
    const bool over_tls = take_tls_prefix(s.where) || s.tls.asked;
    auto where = net::resolve(s.where);
    if (!where) {
        return fail(fmt::format("cannot find {} ({}): check the name, or give an IP address",
                                in_quotes(s.where), where.error().message()),
                    exit_status::unreachable);
    }
    std::unique_ptr<tls::client_context> over;
    if (over_tls) {
        auto made = open_client_tls(s.tls, s.where);
        if (!made) return fail(made.error());
        over = std::move(*made);
    }
    s.chat.over = over.get();
    auto login = open_client_login(s.login, *where, over_tls);
    if (!login) return fail(login.error());
    s.chat.login = std::move(*login);
    auto engine = open_engine(s.engine.value_or(engine_request::automatic));
    if (!engine) return fail(engine.error());
    const auto keyboard = term::console::open(**engine, STDIN_FILENO);
    if (!keyboard) return fail_to_use_streams(keyboard.error());
    if (can_edit()) return chat_on_terminal(**engine, std::move(*where), **keyboard, s);
    const auto screen = term::console::open(**engine, STDOUT_FILENO);
    if (!screen) return fail_to_use_streams(screen.error());
    chat::plain_ui terminal_ui{
        **keyboard,
        **screen,
        {.on_event = announce, .on_error = announce_error, .prompt = {}, .answered = {}},
        s.chat.max_line,
        os::is_terminal(STDIN_FILENO)};
    return run_chat(**engine, std::move(*where), terminal_ui, s);
}

/// A name or a room: a word, which the server checks further.
reading<std::string> read_word(std::string_view text) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= ' ' || byte == 0x7f) {
            return std::unexpected{in_quotes(text) + " is no name: leave out spaces and controls"};
        }
    }
    if (text.empty()) return std::unexpected{std::string{"a name needs a character at least"}};
    return std::string{text};
}

}  // namespace

void add_chat_join(commands& all, CLI::App& chat) {
    auto* command = chat.add_subcommand("join", "Call a server and chat with all who are there");
    auto settings = std::make_shared<chat_join_settings>();
    auto& o = settings->chat;
    add_value(*command, "ADDRESS", settings->where, read_server_address, "",
              fmt::format("HOST:PORT or PORT, with tls:// in front of it over TLS ({})",
                          settings->where));
    add_value(*command, "--nick", o.nick, read_word, "NAME", "Ask for this name on arrival");
    add_value(*command, "--room", o.room, read_word, "NAME", "Go to this room on arrival");
    command->add_flag("--reconnect", o.reconnect,
                      "Call again when cut off, with the same name and room");
    add_framing_option(*command, o.framing);
    add_max_line_option(*command, o.max_line, "message");
    add_client_tls_options(*command, settings->tls, true);
    add_client_login_options(*command, settings->login);
    add_engine_option(*command, settings->engine);
    all.on(*command, [command, settings] { return join_chat(*command, *settings); });
}

}  // namespace sluice::cli
