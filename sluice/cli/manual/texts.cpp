// Gathers the texts of all commands.
#include "sluice/cli/manual/texts.hpp"

#include <algorithm>
#include <iterator>

namespace sluice::cli {

std::span<const command_text> all_texts() {
    static const std::vector<command_text> all = [] {
        auto texts = texts_of_program();
        for (const auto part : {texts_of_lines, texts_of_files, texts_of_lab}) {
            std::ranges::move(part(), std::back_inserter(texts));
        }
        return texts;
    }();
    return all;
}

const command_text& text_of(std::string_view path) {
    static const command_text none{};
    const auto all = all_texts();
    const auto found = std::ranges::find(all, path, &command_text::path);
    return found == all.end() ? none : *found;
}

std::vector<status_text> usual_statuses() {
    return {{"0", "Done."},
            {"1", "It failed; a line on stderr says why."},
            {"2", "The command line, the environment or the configuration is wrong."}};
}

std::vector<status_text> server_statuses() {
    return {{"0", "SIGTERM stopped it, and it has drained."},
            {"1",
             "It could not start or go on: its port is taken, a file cannot be read or written. A "
             "line on stderr says what to do."},
            {"2", "The command line, the environment or the configuration is wrong."},
            {"130", "Ctrl-C (SIGINT) stopped it."}};
}

std::vector<status_text> client_statuses() {
    return {{"0", "Done."},
            {"1", "It was refused or failed; a line on stderr says why."},
            {"2", "The command line, the environment or the configuration is wrong."},
            {"3", "The server could not be reached, or went away."},
            {"130", "Ctrl-C (SIGINT) stopped it."}};
}

}  // namespace sluice::cli
