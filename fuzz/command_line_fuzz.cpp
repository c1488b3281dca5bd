// The command line and a configuration of any bytes: a command with all its options, or a mistake.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/cli/option_sources.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::command_line_target {
namespace {

/// A file in memory, for a path that never changes.
class configuration {
 public:
    configuration() : file_{::memfd_create("configuration", 0)} {
        check(file_ >= 0, "no file in memory");
    }
    [[nodiscard]] std::string path() const { return fmt::format("/proc/self/fd/{}", file_); }
    void write(std::string_view text) const {
        check(::ftruncate(file_, 0) == 0 &&
                  ::pwrite(file_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()),
              "no memory");
    }

 private:
    int file_;
};

/// As `sluice config check` finds them: for all commands, not for the one that is called.
void check_mistakes(std::string_view text) {
    cli::commands all{cli::add_all};
    const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
    std::size_t before = 1;
    for (const auto& each : cli::mistakes_of(all, text)) {
        check(each.line >= before && each.line <= lines, "a mistake out of its place");
        check(!each.what.empty() && wire::is_printable(each.what), "a mistake without fit words");
        before = each.line;
    }
}

}  // namespace

/// Words, a line each, up to an empty line; the rest is the file that the word CONFIG stands for.
void examine(std::string_view text) {
    static const configuration file;
    ::setenv("SLUICE_CONFIG", "none", 1);
    std::vector<std::string> words;
    while (!text.empty() && !text.starts_with('\n')) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto word = text.substr(0, end);
        words.push_back(word == "CONFIG" ? file.path() : std::string{word});
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    text.remove_prefix(std::min<std::size_t>(1, text.size()));
    file.write(text);
    check_mistakes(text);
    cli::commands all{cli::add_all};
    const auto found = all.choose(std::move(words));
    if (!found) {
        check(found.error() == cli::exit_status::done || found.error() == cli::exit_status::usage,
              "a mistake that is none of usage");
        return;
    }
    check(*found != nullptr, "a command without an action");
    // What a running program asks when it is to read its configuration again.
    const auto again = all.read_again();
    check(again.has_value(), "the same file is no good");
    check(cli::changed_settings(all.options(), (*again)->options()).empty(),
          "the same file has other settings");
}

}  // namespace sluice::fuzz::command_line_target
