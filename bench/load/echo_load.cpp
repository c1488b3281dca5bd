// The echo load as a program: its arguments, and which of its three works they ask for.
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include "common.hpp"
#include "echo.hpp"
#include "options.hpp"

int main(int argc, char** argv) {
    const std::map<std::string, load::echo_engine> engines{{"uring", load::echo_engine::uring},
                                                           {"epoll", load::echo_engine::epoll}};
    load::echo_options o;
    bool verify = false;
    bool hold = false;
    CLI::App app{"Sends messages to an echo server, and measures how fast they come back.",
                 "echo_load"};
    load::add_port(app, o.port);
    load::add_number(app, "--connections", o.connections, 1, 1'000'000, "at a time");
    load::add_number(app, "--size", o.size, 1, 1 << 30, "bytes of a message");
    load::add_number(app, "--depth", o.depth, 1, 1 << 16, "messages under way on a connection");
    load::add_seconds(app, "--seconds", o.measured, "that are measured");
    load::add_seconds(app, "--warmup", o.warmup, "before these");
    load::add_server(app, o.server);
    load::add_choice(app, "--engine", o.engine, engines, "how the load waits");
    auto* const checks = app.add_flag("--verify", verify,
                                      "check every byte that comes back, and how connections end");
    app.add_flag("--hold", hold, "one message a connection, then keep all idle until stdin ends")
        ->excludes(checks);
    CLI11_PARSE(app, argc, argv);
    load::raise_open_files();
    if (verify) {
        load::verify_echo(o);
    } else if (hold) {
        load::hold_echo(o);
    } else {
        load::measure_echo(o);
    }
}
