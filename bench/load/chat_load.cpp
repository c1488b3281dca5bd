// The chat load as a program: its arguments, and which of its two works they ask for.
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include "chat.hpp"
#include "common.hpp"
#include "options.hpp"

int main(int argc, char** argv) {
    using enum load::chat_server;
    const std::map<std::string, load::chat_server> servers{
        {"sluice", sluice}, {"redis", redis}, {"nats", nats}, {"irc", irc}, {"ncat", ncat}};
    constexpr std::size_t many = 1'000'000;
    load::chat_options o;
    bool hold = false;
    CLI::App app{"Says lines in a chat, and measures how fast they reach all who are there.",
                 "chat_load"};
    load::add_port(app, o.port);
    load::add_choice(app, "--server", o.server, servers, "whose protocol is spoken");
    load::add_number(app, "--senders", o.senders, 1, 1000, "members who say lines, and hear them");
    load::add_number(app, "--members", o.members, 1, many, "members more, who listen");
    load::add_number(app, "--stuck", o.stuck, 0, many, "members more, who never read");
    load::add_number(app, "--trickling", o.trickling, 0, many,
                     "members more, who read a byte a second");
    load::add_number(app, "--size", o.size, 20, 1 << 20, "bytes of a line's text");
    load::add_number(app, "--window", o.window, 1, many,
                     "lines said and not yet delivered to all members");
    load::add_number(app, "--rate", o.rate, 1, 1e7,
                     "so many lines a second, and how long each took to each member");
    load::add_seconds(app, "--seconds", o.measured, "that are measured");
    load::add_seconds(app, "--warmup", o.warmup, "before these");
    load::add_server(app, o.process);
    app.add_flag("--hold", hold, "keep all idle until stdin ends; a line there is one line to all");
    CLI11_PARSE(app, argc, argv);
    load::raise_open_files();
    if (hold) {
        load::hold_chat(o);
    } else {
        load::measure_chat(o);
    }
}
