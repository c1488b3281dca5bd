// Implements `sluice lab load`: runs one load and prints its outcome for the lab.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/run_server.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/lab/load/bytes.hpp"
#include "sluice/lab/load/chat.hpp"
#include "sluice/lab/load/copy.hpp"
#include "sluice/lab/load/exchange.hpp"
#include "sluice/lab/load/outcome.hpp"
#include "sluice/net/address.hpp"

namespace sluice::cli {
namespace {

constexpr std::uint64_t most_connections = 20'000;
constexpr std::uint64_t most_size = std::uint64_t{1} << 30;

struct load_settings {
    std::string where;
    lab::watched server;
    lab::exchange_options exchange;
    lab::bytes_options bytes;
    lab::chat_options chat;
    std::uint64_t message = 64;
    std::string question = "1";
};

using action = std::function<std::expected<lab::outcome, lab::load_failure>(load_settings&)>;

/// Seconds with a fraction; other options take durations with units.
constexpr number_from read_short_time{0, 3600, "is no time; write seconds, as in 0.5"};

reading<double> read_rate(std::string_view text) {
    constexpr std::uint64_t most = 100'000'000;
    auto count = count_from{1, most}(text);
    if (!count) return std::unexpected{std::move(count.error())};
    return static_cast<double>(*count);
}

/// Parses PID, or PID and the descriptors of two counters, as the lab passes them to its loads.
reading<lab::watched> read_watched(std::string_view text) {
    lab::watched found;
    const auto* at = text.data();
    const auto* const last = text.data() + text.size();
    for (int* each : {&found.process, &found.switches, &found.calls}) {
        const auto [end, status] = std::from_chars(at, last, *each);
        if (status != std::errc{} || (end != last && *end != ',')) break;
        if (end == last) return found;
        at = end + 1;
    }
    return std::unexpected{in_quotes(text) + " is no process; write its number"};
}

exit_status run(load_settings& s, const action& load) {
    settle_standard_streams();
    raise_open_files();
    const auto addresses = net::resolve(s.where);
    if (!addresses) {
        announce(fmt::format("sluice: cannot find {} ({}): check the name, or give an IP address",
                             in_quotes(s.where), addresses.error().message()));
        return exit_status::unreachable;
    }
    s.exchange.where = s.bytes.where = s.chat.where = addresses->front();
    s.exchange.server = s.bytes.server = s.chat.server = s.server;
    const auto seen = load(s);
    if (!seen) {
        announce(fmt::format("sluice: {}", seen.error().what));
        return seen.error().is_unreachable ? exit_status::unreachable : exit_status::failed;
    }
    print(lab::to_text(*seen));
    return exit_status::done;
}

std::shared_ptr<load_settings> add(commands& all, CLI::App& parent, const std::string& name,
                                   const std::string& description, action load,
                                   CLI::App*& command) {
    command = parent.add_subcommand(name, description);
    auto s = std::make_shared<load_settings>();
    add_value(*command, "ADDRESS", s->where, read_address, "", "HOST:PORT or PORT")->required();
    add_value(*command, "--watch", s->server, read_watched, "PID",
              "Report what this process uses, too");
    all.on(*command, [s, load = std::move(load)] { return run(*s, load); });
    return s;
}

template <class Options>
void add_timing(CLI::App& command, Options& into) {
    add_value(command, "--seconds", into.measured, read_short_time, "S",
              "How long is measured (1)");
    add_value(command, "--warmup", into.warmup, read_short_time, "S", "How long before that (0.3)");
    add_value(command, "--rate", into.rate, read_rate, "N",
              "Messages a second, each timed from when it was due (as many as can be)");
    command.add_flag("--sleep", into.sleeps,
                     "Wait instead of looking again and again, as on a core that is shared");
}

void add_exchange_options(CLI::App& command, load_settings& s) {
    constexpr std::array<std::pair<std::string_view, lab::load_engine>, 3> engines{
        {{"auto", lab::load_engine::automatic},
         {"epoll", lab::load_engine::epoll},
         {"uring", lab::load_engine::uring}}};
    constexpr std::uint64_t most_depth = 65'536;
    add_timing(command, s.exchange);
    add_value(command, "--connections", s.exchange.connections, count_from{1, most_connections},
              "N", "Connections at a time (64)");
    add_value(command, "--depth", s.exchange.depth, count_from{1, most_depth}, "N",
              "Messages under way on each (1)");
    add_value(command, "--engine", s.exchange.engine, one_of{engines}, "HOW",
              "How the load waits: auto, epoll or uring (auto)");
    command.add_flag("--reconnect", s.exchange.reconnect, "A new connection for each message");
}

void add_echo(commands& all, CLI::App& parent) {
    CLI::App* command = nullptr;
    auto s = add(
        all, parent, "echo", "Send, and wait for the same bytes",
        [](load_settings& o) {
            o.exchange.request.assign(o.message, 'x');
            o.exchange.answer_size = o.message;
            return lab::exchange(o.exchange);
        },
        command);
    add_exchange_options(*command, *s);
    add_value(
        *command, "--size", s->message,
        [](std::string_view text) -> reading<std::uint64_t> {
            auto size = read_size(text);
            if (size && (*size == 0 || *size > most_size)) {
                return std::unexpected{in_quotes(text) +
                                       " is no length of a message; write 1 to 1G"};
            }
            return size;
        },
        "SIZE", "Bytes of a message (64)");
}

void add_ask(commands& all, CLI::App& parent) {
    CLI::App* command = nullptr;
    auto s = add(
        all, parent, "ask", "Ask a compute server the same question again and again",
        [](load_settings& o) -> std::expected<lab::outcome, lab::load_failure> {
            o.exchange.request = o.question + '\n';
            auto answer = lab::learn_answer(o.exchange.where, o.exchange.request);
            if (!answer) return std::unexpected{std::move(answer.error())};
            o.exchange.answer = std::move(*answer);
            return lab::exchange(o.exchange);
        },
        command);
    add_exchange_options(*command, *s);
    add_value(
        *command, "--question", s->question,
        [](std::string_view text) -> reading<std::string> { return std::string{text}; }, "N",
        "What to ask (1)");
}

void add_bytes(commands& all, CLI::App& parent) {
    const std::array<std::pair<std::string, action>, 2> loads{
        {{"download", [](load_settings& o) { return lab::download(o.bytes); }},
         {"upload", [](load_settings& o) { return lab::upload(o.bytes); }}}};
    for (const auto& [name, load] : loads) {
        CLI::App* command = nullptr;
        auto s = add(all, parent, name,
                     name == "upload" ? "Send so many bytes to whoever takes them"
                                      : "Receive until the end, and drop it inside the kernel",
                     load, command);
        add_value(*command, "--clients", s->bytes.clients, count_from{1, most_connections}, "N",
                  "Connections at a time (1)");
        command->add_flag("--spin", s->bytes.spins, "Look again and again, and never wait");
        add_value(*command, "--size", s->bytes.size, read_size, "SIZE",
                  "Bytes that each of them is to move")
            ->required();
    }
}

void add_chat_load(commands& all, CLI::App& parent) {
    CLI::App* command = nullptr;
    auto s = add(
        all, parent, "chat", "Fill a chat with members, and speak",
        [](load_settings& o) {
            o.chat.size = o.message;
            return lab::chat(o.chat);
        },
        command);
    constexpr std::uint64_t shortest = 32;
    constexpr std::uint64_t longest = 4096;
    add_timing(*command, s->chat);
    add_value(*command, "--members", s->chat.members, count_from{1, most_connections}, "N",
              "Who listen (90)");
    add_value(*command, "--senders", s->chat.senders, count_from{1, 1000}, "N", "Who speak (4)");
    add_value(*command, "--size", s->message, count_from{shortest, longest}, "BYTES",
              "Of a message (64)");
    add_value(*command, "--window", s->chat.window, count_from{1, 1'000'000}, "N",
              "Messages under way, without a rate; one a sender at least (256)");
}

exit_status run_copy(const lab::copy_options& o) {
    settle_standard_streams();
    const auto seen = lab::copy(o);
    if (!seen) {
        announce(fmt::format("sluice: {}", seen.error().what));
        return exit_status::failed;
    }
    print(lab::to_text(*seen));
    return exit_status::done;
}

void add_copy(commands& all, CLI::App& parent) {
    auto* command = parent.add_subcommand("copy", "Copy a file once");
    auto o = std::make_shared<lab::copy_options>();
    command->add_option("FROM", o->from, "What to copy")->required()->type_name("");
    command->add_option("TO", o->to, "Written over, if it is there")->required()->type_name("");
    add_value(*command, "--strategy", o->how, one_of{transfer::copy_names}, "HOW",
              "auto, read-write, mmap-write, sendfile, splice, copy-range, direct, uring (auto)");
    all.on(*command, [o] { return run_copy(*o); });
}

}  // namespace

void add_lab_load(commands& all, CLI::App& lab) {
    auto* load = lab.add_subcommand("load", "Load a server by hand, as the lab does it");
    load->require_subcommand(1);
    add_echo(all, *load);
    add_ask(all, *load);
    add_bytes(all, *load);
    add_chat_load(all, *load);
    add_copy(all, *load);
}

}  // namespace sluice::cli
