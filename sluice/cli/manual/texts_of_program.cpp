// What help and manual say of the program itself, and of what explains it.
#include "sluice/cli/manual/texts.hpp"

namespace sluice::cli {

std::vector<command_text> texts_of_program() {
    const std::vector<status_text> all_statuses{
        {"0", "Done."},
        {"1", "It failed; a line on stderr says why."},
        {"2", "The command line, the environment or the configuration is wrong."},
        {"3", "The other side could not be reached, or went away."},
        {"4", "What arrived is not what was sent."},
        {"130", "Ctrl-C (SIGINT) stopped it."}};
    return {
        {.path = "",
         .about =
             "`sluice` is one program with several commands: a conversation between two (`talk`), "
             "a group chat (`chat`), a file server over HTTP and over plain streams (`files`), a "
             "server that answers questions (`compute`), all of these in one process (`serve`), "
             "and a lab that measures them. They run on io_uring where the kernel has it, and on "
             "epoll elsewhere.\n\n"
             "Sizes are bytes, or `64K`, `1M`, `2G` in powers of 1,024; times are seconds, or "
             "`500ms`, `5s`, `2m`, `1h`, `7d`. An address is `HOST:PORT`, `[V6]:PORT` or `PORT`; "
             "port 0 picks a free one, which is printed. An option's default stands in parentheses "
             "at the end of its text.\n\n"
             "Results go to stdout, and all else to stderr.",
         .examples = {{"Chat, files and compute in one process", "sluice serve"},
                      {"Join the chat", "sluice chat join --nick ann"},
                      {"What this machine offers", "sluice doctor"},
                      {"Explain a command", "sluice help files serve"}},
         .statuses = all_statuses,
         .operands = {},
         .see_also = {}},
        {.path = "doctor",
         .about =
             "Says whether io_uring works here, and why not where it does not; which of its "
             "features the kernel has; whether servers get their sandbox (Landlock, seccomp); what "
             "the limits on files, memory, backlog and ports mean for sluice, and how to change "
             "each. It changes nothing.",
         .examples = {{"Examine this machine", "sluice doctor"},
                      {"The same for programs", "sluice doctor --json"}},
         .statuses = usual_statuses(),
         .operands = {},
         .see_also = {"io_uring(7)", "epoll(7)"}},
        {.path = "config",
         .about =
             "Servers take their settings from `sluice.conf`, too: the file of `--config`, else "
             "`~/.config/sluice/sluice.conf`, else `/etc/sluice/sluice.conf`.",
         .examples = {{"Is the file right", "sluice config check"},
                      {"What is in force", "sluice config show"}},
         .statuses = usual_statuses(),
         .operands = {},
         .see_also = {"sluice.conf(5)"}},
        {.path = "config check",
         .about = "Reads the file as every server would, and prints each mistake with its line: "
                  "unknown names, values that are none, and settings that do not go together.",
         .examples = {{"The file that is found", "sluice config check"},
                      {"Another", "sluice config check new.conf"}},
         .statuses = usual_statuses(),
         .operands = {},
         .see_also = {"sluice.conf(5)"}},
        {.path = "config show",
         .about =
             "Prints each setting of a server, the value that is in force, and where it comes "
             "from: a flag, a variable, a line of a file, or the default. What is printed is a "
             "configuration. Without a command it is that of `sluice serve`.",
         .examples = {{"Of sluice serve", "sluice config show"},
                      {"With another rate", "sluice config show serve --chat.rate 5"},
                      {"For programs", "sluice config show --json chat serve"}},
         .statuses = usual_statuses(),
         .operands = "[COMMAND... [FLAGS]]",
         .see_also = {"sluice.conf(5)"}},
        {.path = "top",
         .about =
             "Shows what the metrics of a running server say, twice a second: rates, connections "
             "by door, the slowest answers, memory and the load of each shard. The server runs "
             "with `--metrics ADDRESS`. `q` or Ctrl-C leaves.",
         .examples = {{"A server with metrics", "sluice serve --metrics 9100"},
                      {"Elsewhere: watch it", "sluice top 127.0.0.1:9100"},
                      {"One look, for programs", "sluice top 9100 --once --json"}},
         .statuses = usual_statuses(),
         .operands = {},
         .see_also = {"top(1)"}},
        {.path = "help",
         .about = "Prints the page that `--help` of the same command prints. Pages fit the "
                  "terminal, or the columns that COLUMNS names.",
         .examples = {{"All commands", "sluice help"}, {"One of them", "sluice help chat serve"}},
         .statuses = usual_statuses(),
         .operands = {},
         .see_also = {"man(1)"}},
        {.path = "completions",
         .about =
             "Prints a script with which a shell completes commands, options, their choices and "
             "names of files. Packages install it; without one, source it at the start of the "
             "shell.",
         .examples = {{"For this bash, and in ~/.bashrc for all",
                       "source <(sluice completions bash)"},
                      {"For zsh, in a folder of its $fpath",
                       "sluice completions zsh > ~/.zsh/_sluice"},
                      {"For this fish", "sluice completions fish | source"}},
         .statuses = usual_statuses(),
         .operands = {},
         .see_also = {"bash(1)", "zsh(1)", "fish(1)"}},
    };
}

}  // namespace sluice::cli
