// The chat load as a program: its arguments, and which of its two works they ask for.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>
#include <utility>

#include "chat.hpp"
#include "common.hpp"

namespace {

constexpr const char* usage =
    "usage: chat_load PORT [--server sluice|redis|nats|irc|ncat] [--senders N] [--members N]\n"
    "                 [--size BYTES] [--window N] [--rate N] [--stuck N] [--trickling N]\n"
    "                 [--seconds S] [--warmup S] [--server-pid PID] [--hold]\n"
    "\n"
    "  --window N        messages sent and not yet delivered to all members (256)\n"
    "  --rate N          so many messages a second, and how long each took to each member\n"
    "  --stuck N         members more, who never read\n"
    "  --trickling N     members more, who read a byte a second\n"
    "  --server-pid PID  also report the CPU time that this process used\n"
    "  --hold            keep all idle until stdin ends; a line there is one message to all\n";

[[noreturn]] void show_usage() {
    std::fputs(usage, stderr);
    std::exit(2);
}

load::chat_server server_called(std::string_view name) {
    using enum load::chat_server;
    constexpr std::array<std::pair<std::string_view, load::chat_server>, 5> names{
        {{"sluice", sluice}, {"redis", redis}, {"nats", nats}, {"irc", irc}, {"ncat", ncat}}};
    for (const auto& [word, server] : names) {
        if (word == name) return server;
    }
    show_usage();
}

void take(load::chat_options& o, std::string_view flag, std::string_view value) {
    using load::number;
    constexpr std::size_t many = 1'000'000;
    if (flag == "--server") {
        o.server = server_called(value);
    } else if (flag == "--senders") {
        o.senders = number<std::size_t>(flag, value, 1, 1000);
    } else if (flag == "--members") {
        o.members = number<std::size_t>(flag, value, 1, many);
    } else if (flag == "--stuck") {
        o.stuck = number<std::size_t>(flag, value, 0, many);
    } else if (flag == "--trickling") {
        o.trickling = number<std::size_t>(flag, value, 0, many);
    } else if (flag == "--size") {
        o.size = number<std::size_t>(flag, value, 20, 1 << 20);
    } else if (flag == "--window") {
        o.window = number<std::size_t>(flag, value, 1, many);
    } else if (flag == "--rate") {
        o.rate = number<double>(flag, value, 1, 1e7);
    } else if (flag == "--seconds") {
        o.measured = number<double>(flag, value, 0, 3600);
    } else if (flag == "--warmup") {
        o.warmup = number<double>(flag, value, 0, 3600);
    } else if (flag == "--server-pid") {
        o.process = number<pid_t>(flag, value, 1, 1 << 22);
    } else {
        show_usage();
    }
}

}  // namespace

int main(int argc, char** argv) {
    load::chat_options o;
    bool hold = false;
    const std::span<char*> arguments{argv, static_cast<std::size_t>(argc)};
    for (std::size_t at = 1; at < arguments.size(); ++at) {
        const std::string_view flag = arguments[at];
        if (flag == "--hold") {
            hold = true;
        } else if (!flag.starts_with("--")) {
            o.port = load::number<std::uint16_t>("PORT", flag, 1, 65535);
        } else if (++at == arguments.size()) {
            show_usage();
        } else {
            take(o, flag, arguments[at]);
        }
    }
    if (o.port == 0) show_usage();
    load::raise_open_files();
    if (hold) {
        load::hold_chat(o);
    } else {
        load::measure_chat(o);
    }
}
