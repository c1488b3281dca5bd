// What help and manual say of talk, chat and compute.
#include "sluice/cli/manual/texts.hpp"

namespace sluice::cli {
namespace {

std::vector<command_text> texts_of_talk() {
    auto statuses = client_statuses();
    statuses.front().meaning = "The conversation ended with `exit`, or SIGTERM ended it.";
    statuses[1].meaning =
        "It failed: a message of the other side is longer than `--max-line`, standard output "
        "cannot be written, the port is taken. A line on stderr says which.";
    statuses[3].meaning =
        "The other side could not be reached, went away without `exit`, or was silent for "
        "`--idle-time`.";
    return {
        {.path = "talk",
         .about =
             "A conversation between two, strictly in turn: the client speaks first, then the "
             "server answers. `exit` from either side is sent, and ends both. Any program that "
             "sends lines can be a side, such as nc(1) or telnet(1).",
         .examples = {{"Wait for a client, and answer it", "sluice talk serve"},
                      {"Elsewhere: call it", "sluice talk join 127.0.0.1:5000"}},
         .statuses = usual_statuses(),
         .operands = {},
         .see_also = {"nc(1)", "telnet(1)"}},
        {.path = "talk serve",
         .about =
             "Waits for a client, and reads the answers to it from standard input. One client is "
             "served at a time: others wait, and are next with `--keep`. With `--echo` there is "
             "none to wait for, and many can be served at once under any model.\n\n"
             "What is said goes to stdout, a line each: `[Client 127.0.0.1:40123]: hello`.",
         .examples = {{"Talk with the first client that comes", "sluice talk serve"},
                      {"Answers from a file, then exit", "sluice talk serve < answers.txt"},
                      {"Say to each what it said, many at a time",
                       "sluice talk serve --echo --keep --model thread"},
                      {"Beyond this machine, over TLS",
                       "sluice talk serve --listen 0.0.0.0:5000 --open --tls"}},
         .statuses = statuses,
         .operands = {},
         .see_also = {"nc(1)", "telnet(1)"}},
        {.path = "talk join",
         .about = "Calls a server, says the first line, and waits for each answer before the next. "
                  "Lines come from standard input; its end says `exit`.",
         .examples = {{"Talk with a server on this machine", "sluice talk join"},
                      {"Three questions, then exit", "sluice talk join < questions.txt"},
                      {"A server that speaks TLS", "sluice talk join tls://talk.example.org:5000"}},
         .statuses = statuses,
         .operands = {},
         .see_also = {}},
    };
}

std::vector<command_text> texts_of_chat() {
    return {
        {.path = "chat",
         .about = "A group chat: rooms, names, private lines, a history for newcomers. A plain "
                  "nc(1) is a full member.",
         .examples = {{"Let others talk", "sluice chat serve"},
                      {"Join them", "sluice chat join --nick ann"}},
         .statuses = usual_statuses(),
         .operands = {},
         .see_also = {"nc(1)"}},
        {.path = "chat serve",
         .about =
             "A line that a client sends reaches every other member of its room as `[NAME]: text`; "
             "a newcomer is `Client N` until `/nick`. Lines that begin with a slash are commands: "
             "`/nick`, `/join`, `/who`, `/me`, `/msg`, `/rooms`, `/help`, `/quit`; `exit` leaves. "
             "Who comes, what is said and who goes is printed on stdout, unless `--quiet`.\n\n"
             "A room is one log and a member is a place in it, so that a member that reads slowly "
             "holds up no other: it misses lines and is told so, or is sent away (`--slow`). "
             "Beyond this machine the server needs `--open`, `--auth` or `--client-ca`.",
         .examples =
             {{"On this machine, on port 5000", "sluice chat serve"},
              {"For a team: by accounts, over TLS, ann is the operator",
               "sluice chat serve --listen 0.0.0.0:5000 --tls --auth accounts --operators ann"},
              {"Twenty lines a second from a member, a longer history",
               "sluice chat serve --rate 20 --history 1000 --window 4M"}},
         .statuses = server_statuses(),
         .operands = {},
         .see_also = {"nc(1)"}},
        {.path = "chat join",
         .about =
             "Waits for the keyboard and the server at once. On a terminal a line that arrives is "
             "printed above the one that is being typed, which can be edited; otherwise what comes "
             "is printed, and what is read is sent, a line each. `exit`, `/quit`, Ctrl-D or the "
             "end of standard input leave.",
         .examples = {{"Join the chat on this machine", "sluice chat join --nick ann"},
                      {"A room of a server over TLS, come what may",
                       "sluice chat join tls://chat.example.org:5000 --room ops --reconnect"},
                      {"Say one line from a script", "echo done | sluice chat join --nick ci"}},
         .statuses = client_statuses(),
         .operands = {},
         .see_also = {}},
    };
}

std::vector<command_text> texts_of_compute() {
    return {
        {.path = "compute",
         .about = "A server that answers questions, and a client that asks them: one message asks, "
                  "one answers, as many a connection as the client likes.",
         .examples = {{"Answer with Fibonacci numbers", "sluice compute serve"},
                      {"Ask for one", "sluice compute ask 2999 30"}},
         .statuses = usual_statuses(),
         .operands = {},
         .see_also = {}},
        {.path = "compute serve",
         .about =
             "`--work fib` answers a number with its Fibonacci number, computed recursively, with "
             "fib(0) = fib(1) = 1: work that burns a CPU, on purpose. Beyond `--limit` the answer "
             "is `out of range`, to other text `not a number`, with a full queue `busy`, after "
             "`--deadline` `late`. `echo` answers with the question, `sleep` after as many "
             "milliseconds as it says.\n\n"
             "`--exec` makes a server of any program that reads a line and writes a line: the rest "
             "of the command line is the program and its arguments. Processes are started before "
             "they are asked, replaced when they die, and end with the server.\n\n"
             "Beyond this machine the server needs `--open`, `--auth` or `--client-ca`.",
         .examples = {{"fib on port 2999, on all cores", "sluice compute serve"},
                      {"A thread for each client", "sluice compute serve --model thread"},
                      {"Each line by a program of yours",
                       "sluice compute serve --exec ./answer.py"},
                      {"Numbers of decimals, at most 256 MiB and a second each",
                       "sluice compute serve --exec-memory 256M --exec-time 1s --exec bc -lq"}},
         .statuses = server_statuses(),
         .operands = "[PROGRAM [ARGUMENT...]]",
         .see_also = {"bc(1)"}},
        {.path = "compute ask",
         .about = "Asks a question and prints the answer, as `function(30): 1346269`. With several "
                  "clients or requests it prints a summary: rate, percentiles, errors by kind.",
         .examples = {{"One question", "sluice compute ask 2999 30"},
                      {"Eight clients with fifty each",
                       "sluice compute ask 2999 30 --clients 8 --requests 50"},
                      {"The summary for a program",
                       "sluice compute ask 2999 30 --requests 100 --json"}},
         .statuses = client_statuses(),
         .operands = {},
         .see_also = {}},
    };
}

}  // namespace

std::vector<command_text> texts_of_lines() {
    auto all = texts_of_talk();
    for (const auto part : {texts_of_chat, texts_of_compute}) {
        for (auto& each : part()) all.push_back(std::move(each));
    }
    return all;
}

}  // namespace sluice::cli
