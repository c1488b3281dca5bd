// Implements `sluice chat serve`: options of the chat server, and its run.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/chat/server/chat_service.hpp"
#include "sluice/cli/auth/names.hpp"
#include "sluice/cli/inherited_sockets.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/message_options.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/run_server.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/server_signals.hpp"
#include "sluice/cli/service_counters.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/stop_signals.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/io/run.hpp"
#include "sluice/wire/size.hpp"

namespace sluice::cli {
namespace {

struct chat_serve_settings {
    serve_options common;
    chat::limits allowed;
    std::chrono::milliseconds write_deadline{60'000};
    std::optional<std::uint64_t> rate;
    std::optional<std::uint64_t> burst;
    std::optional<std::uint64_t> command_rate;
    std::vector<std::string> operators;
    bool stats = false;
};

/// Why the window is too small, a sentence without its full stop; empty if it is not.
std::string why_no_window(const chat::limits& l) {
    // A line with its control characters escaped can be four times as long.
    const std::size_t least = 8 * l.max_line;
    if (l.window >= least) return {};
    return fmt::format("--window {} is too small for --max-line {}; give it at least {}",
                       wire::format_size(l.window), wire::format_size(l.max_line),
                       wire::format_size(least));
}

/// Applies the chosen rates; each replaces the default burst, too.
void set_rates(chat::limits& l, const chat_serve_settings& s) {
    constexpr std::uint64_t usual_burst = 10;
    if (s.rate) l.rate = static_cast<double>(*s.rate);
    if (s.rate || s.burst) l.burst = static_cast<double>(s.burst.value_or(usual_burst));
    if (!s.command_rate) return;
    l.command_rate = static_cast<double>(*s.command_rate);
    l.command_burst = static_cast<double>(std::max(*s.command_rate, usual_burst));
}

exit_status serve_chat(const CLI::App& command, chat_serve_settings s) {
    const auto& given = settle_standard_streams();
    const auto pair = pair_up(s.common.engine, s.common.model);
    if (!pair) return report_usage_error(command, pair.error());
    if (pair->model != model_kind::event) {
        const auto asked = s.common.model ? fmt::format("--model {}", to_text(*s.common.model))
                                          : std::string{"--engine blocking"};
        return report_usage_error(
            command, fmt::format("{} cannot carry a chat, where everybody hears "
                                 "everybody at any time; use --model event, on epoll or uring",
                                 asked));
    }
    if (const auto why = why_no_window(s.allowed); !why.empty())
        return report_usage_error(command, why);
    set_up_output(s.common, pair->model);
    if (auto entered = enter_chroot(s.common.sandbox); !entered) {
        return log_failure(entered.error());
    }
    if (auto given = inherited().assign({{"listen", &s.common.listen}}); !given) {
        return log_failure(given.error());
    }
    s.allowed.max_clients = s.common.max_clients;
    s.allowed.write_deadline = s.write_deadline;
    set_rates(s.allowed, s);
    if (!s.operators.empty() && !s.common.auth.on()) {
        return report_usage_error(
            command, "--operators names accounts, and there are none; name their file with --auth");
    }
    const auto who = open_server_auth(s.common, {s.common.listen});
    if (!who) return report_usage_error(command, who.error());
    std::unique_ptr<chat::registry> accounts;
    if (*who) {
        accounts = std::make_unique<chat::registry>(
            door_with_right(who->get(), "chat", "talk in the chat"), s.operators);
    }
    transcript_on_stdout shown;
    chat::chat_service chat{{.allowed = s.allowed,
                             .shards = model::workers_of(s.common.workers),
                             .seen = s.common.quiet || !given.out ? nullptr : &shown,
                             .accounts = accounts.get()}};
    const auto count = [&chat] { announce_counters(chat.counted()); };
    return run_server(command, s.common, *pair,
                      {.listeners = {{.where = s.common.listen,
                                      .state = chat.state(),
                                      .visitors = "talk in the chat",
                                      .needs_open = true}},
                       .after = s.stats ? count : std::function<void()>{},
                       .count = count,
                       .who = who->get()});
}

reading<std::uint64_t> read_private_limit(std::string_view text) {
    constexpr std::uint64_t most = std::uint64_t{1} << 24;
    auto size = read_size(text);
    if (size && (*size == 0 || *size > most)) {
        return std::unexpected{in_quotes(text) + " is no limit on private lines; write 1 to 16M"};
    }
    return size;
}

reading<std::uint64_t> read_window(std::string_view text) {
    constexpr std::uint64_t least = std::uint64_t{4} << 10;
    constexpr std::uint64_t most = std::uint64_t{1} << 32;
    auto size = read_size(text);
    if (size && (*size < least || *size > most)) {
        return std::unexpected{in_quotes(text) + " is no window of a room; write 4K to 4G"};
    }
    return size;
}

void add_chat_limits(CLI::App& command, chat_serve_settings& into) {
    constexpr std::array<std::pair<std::string_view, chat::slow_policy>, 2> policies{
        {{"skip", chat::slow_policy::skip}, {"disconnect", chat::slow_policy::disconnect}}};
    constexpr std::uint64_t many = 1'000'000;
    chat::limits& l = into.allowed;
    add_framing_option(command, l.framing);
    add_value(command, "--slow", l.slow, one_of{policies}, "WHAT",
              "Becomes of who reads too slowly: skip or disconnect (skip)");
    add_value(command, "--window", l.window, read_window, "SIZE",
              "What a room keeps of its lines (1M)");
    add_value(command, "--history", l.history, count_from{0, many}, "N",
              "Lines that a newcomer is shown (100)");
    add_max_line_option(command, l.max_line, "line");
    add_value(command, "--max-rooms", l.max_rooms, count_from{1, many}, "N",
              "Rooms at a time (1000)");
    add_value(command, "--max-private", l.max_private, read_private_limit, "SIZE",
              "Replies and private lines that wait for a member (64K)");
    add_value(command, "--rate", into.rate, count_from{0, many}, "N",
              "Lines a second from a member, 0 for any number (100000)");
    add_value(command, "--burst", into.burst, count_from{1, many}, "N",
              "Lines at once beyond --rate (10; 200000 without --rate)");
    add_value(command, "--command-rate", into.command_rate, count_from{0, many}, "N",
              "Commands a second from a member, 0 for any number (50)");
    add_list(command, "--operators", into.operators, why_no_account, "NAME",
             "Accounts of --auth that may send members away: /kick, /ban, /mute, /topic, /key");
    add_value(command, "--presence", l.presence, count_from{0, many}, "N",
              "Largest room that is told who comes and goes (500)");
    add_value(command, "--write-deadline", into.write_deadline, read_duration, "TIME",
              "How long a member may take nothing while something waits (60s)");
}

}  // namespace

void add_chat_serve(commands& all, CLI::App& chat) {
    auto* command = chat.add_subcommand("serve", "Let everybody who connects talk with all others");
    auto chosen = std::make_shared<chat_serve_settings>();
    add_chat_limits(*command, *chosen);
    command->add_flag("--stats", chosen->stats, "Print the counters at the end");
    add_serve_options(*command, chosen->common);
    all.on(*command, [command, chosen] { return serve_chat(*command, *chosen); });
}

}  // namespace sluice::cli
