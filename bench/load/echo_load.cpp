// The echo load as a program: its arguments, and which of its three works they ask for.
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

#include "common.hpp"
#include "echo.hpp"

namespace {

constexpr const char* usage =
    "usage: echo_load PORT [--connections N] [--size BYTES] [--depth N] [--seconds S]\n"
    "                 [--warmup S] [--server-pid PID] [--engine uring|epoll]\n"
    "                 [--verify | --hold]\n"
    "\n"
    "  --server-pid PID  also report the CPU time that this process used\n"
    "  --verify          check every byte that comes back, and how connections end\n"
    "  --hold            one message a connection, then keep all idle until stdin ends\n";

[[noreturn]] void show_usage() {
    std::fputs(usage, stderr);
    std::exit(2);
}

load::echo_options parse(std::span<char*> arguments) {
    using load::number;
    load::echo_options o;
    for (std::size_t at = 1; at < arguments.size(); ++at) {
        const std::string_view flag = arguments[at];
        if (flag == "--verify" || flag == "--hold") {
            o.mode = flag == "--hold" ? load::echo_mode::hold : load::echo_mode::verify;
            continue;
        }
        if (!flag.starts_with("--")) {
            o.port = number<std::uint16_t>("PORT", flag, 1, 65535);
            continue;
        }
        if (++at == arguments.size()) show_usage();
        const std::string_view value = arguments[at];
        if (flag == "--connections") {
            o.connections = number<std::size_t>(flag, value, 1, 1'000'000);
        } else if (flag == "--size") {
            o.size = number<std::size_t>(flag, value, 1, 1 << 30);
        } else if (flag == "--depth") {
            o.depth = number<std::size_t>(flag, value, 1, 1 << 16);
        } else if (flag == "--seconds") {
            o.measured = number<double>(flag, value, 0, 3600);
        } else if (flag == "--warmup") {
            o.warmup = number<double>(flag, value, 0, 3600);
        } else if (flag == "--server-pid") {
            o.server = number<pid_t>(flag, value, 1, 1 << 22);
        } else if (flag == "--engine" && (value == "uring" || value == "epoll")) {
            o.engine = value == "uring" ? load::echo_engine::uring : load::echo_engine::epoll;
        } else {
            show_usage();
        }
    }
    if (o.port == 0) show_usage();
    return o;
}

}  // namespace

int main(int argc, char** argv) {
    const load::echo_options o = parse({argv, static_cast<std::size_t>(argc)});
    load::raise_open_files();
    switch (o.mode) {
        case load::echo_mode::measure: load::measure_echo(o); break;
        case load::echo_mode::verify: load::verify_echo(o); break;
        case load::echo_mode::hold: load::hold_echo(o); break;
    }
}
