// What help and manual say of the lab.
#include "sluice/cli/manual/texts.hpp"

namespace sluice::cli {
namespace {

std::vector<status_text> lab_statuses() {
    auto all = usual_statuses();
    all.push_back({"130", "Ctrl-C (SIGINT) stopped it; what was measured before is reported."});
    return all;
}

command_text plan(std::string_view path, std::string_view about, std::vector<example> examples) {
    return {.path = path,
            .about = about,
            .examples = std::move(examples),
            .statuses = lab_statuses(),
            .operands = {},
            .see_also = {}};
}

std::vector<command_text> texts_of_plans() {
    return {
        plan("lab",
             "Runs the real servers under every strategy, engine and model, interleaved and pinned "
             "apart, until the medians are known well or time is up. It says what it found in "
             "sentences, with intervals: faster, no difference within some per cent, or cannot "
             "tell.",
             {{"All plans, in less than two minutes", "sluice lab all --quick --html report.html"},
              {"One question, on the terminal", "sluice lab download --clients 1,8,64"},
              {"What changed from one run to another", "sluice lab compare a.json b.json"}}),
        plan("lab copy",
             "Which way gets a file into another, with a cold and with a warm page cache?",
             {{"A first look", "sluice lab copy --quick"},
              {"Cold for sure, on another disk; for root",
               "sluice lab copy --drop-caches --directory /mnt/disk"}}),
        plan("lab download", "Which way gets a file out of the page cache into sockets?",
             {{"With one client, and with several", "sluice lab download --clients 1,8,64"},
              {"Write what won to a configuration",
               "sluice lab download --write-config sluice.conf"}}),
        plan("lab upload", "Which way gets bytes out of sockets into files?",
             {{"Files of 64 MiB", "sluice lab upload --size 64M"}}),
        plan("lab models",
             "Which server model answers most, by clients, by how much work is in a question?",
             {{"For programs and spreadsheets", "sluice lab models --json a.json --csv a.csv"}}),
        plan("lab chat", "How many deliveries a second has a chat, by members?",
             {{"With rooms of these sizes", "sluice lab chat --clients 10,100,1000"}}),
        plan("lab echo", "Which engine moves most messages, by connections, by size?",
             {{"As sure as can be", "sluice lab echo --full"}}),
        plan("lab same",
             "Measures one server under two names: what differs then is the lab's own mistake.",
             {{"How far apart are equals?", "sluice lab same --quick"}}),
        plan("lab all", "Runs all plans, one after another.",
             {{"In less than two minutes, as a page", "sluice lab all --quick --html report.html"},
              {"For a later comparison", "sluice lab all --json before.json"}}),
    };
}

std::vector<command_text> texts_of_loads() {
    auto statuses = usual_statuses();
    statuses.push_back({"3", "The name of the server cannot be found."});
    const auto load = [&statuses](std::string_view path, std::string_view about,
                                  std::vector<example> examples) {
        return command_text{.path = path,
                            .about = about,
                            .examples = std::move(examples),
                            .statuses = statuses,
                            .operands = {},
                            .see_also = {}};
    };
    return {
        load("lab load",
             "Makes the loads of the lab by hand, against any server. A load looks again and again "
             "instead of waiting, which takes a core of its own; `--sleep` waits.",
             {{"Against an echo of bytes", "sluice lab load echo 127.0.0.1:7"},
              {"Against a chat", "sluice lab load chat 127.0.0.1:5000 --members 1000"}}),
        load("lab load echo",
             "Sends messages over several connections, and waits for the same bytes.",
             {{"64 connections, a message of 64 bytes on each", "sluice lab load echo 7000"},
              {"10,000 messages a second, each timed from when it was due",
               "sluice lab load echo 7000 --rate 10000 --seconds 10"}}),
        load("lab load ask", "Asks a compute server the same question again and again.",
             {{"fib(20), a connection for each question",
               "sluice lab load ask 2999 --question 20 --reconnect"}}),
        load("lab load download", "Receives until the end, and drops it inside the kernel.",
             {{"A GiB on each of eight connections",
               "sluice lab load download 8082 --clients 8 --size 1G"}}),
        load("lab load upload", "Sends so many bytes to a server that takes them.",
             {{"A GiB", "sluice lab load upload 5001 --size 1G"}}),
        load("lab load chat", "Fills a chat with members, and speaks.",
             {{"A thousand listen, four speak", "sluice lab load chat 5000 --members 1000"}}),
        load("lab load copy", "Copies a file once, in one of the ways that `lab copy` compares.",
             {{"By copy_file_range(2)",
               "sluice lab load copy from.img to.img --strategy copy-range"}}),
    };
}

}  // namespace

std::vector<command_text> texts_of_lab() {
    auto all = texts_of_plans();
    for (auto& each : texts_of_loads()) all.push_back(std::move(each));
    auto statuses = usual_statuses();
    statuses[1].meaning =
        "Something became worse by more than `--threshold`, or a report cannot be read.";
    all.push_back({.path = "lab compare",
                   .about = "Compares two reports that `--json` wrote, and says what changed "
                            "beyond the noise.",
                   .examples = {{"What changed between two runs",
                                 "sluice lab compare before.json after.json"},
                                {"Fail from 10 % on, in a build",
                                 "sluice lab compare before.json after.json --threshold 10%"}},
                   .statuses = statuses,
                   .operands = {},
                   .see_also = {}});
    return all;
}

}  // namespace sluice::cli
