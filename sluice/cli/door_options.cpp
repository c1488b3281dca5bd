// Implements the options of Unix sockets and of the pid file.
#include "sluice/cli/door_options.hpp"

#include <fmt/format.h>
#include <grp.h>

#include <cerrno>
#include <charconv>
#include <string_view>
#include <vector>

#include "sluice/base/parse_number.hpp"
#include "sluice/base/result.hpp"
#include "sluice/cli/options.hpp"

namespace sluice::cli {
namespace {

/// Reads a mode, in octal.
struct mode_reader {
    reading<mode_t> operator()(std::string_view text) const {
        constexpr mode_t most = 0777;
        constexpr int octal = 8;
        mode_t mode = 0;
        const char* const end = text.data() + text.size();
        const auto [at, code] = std::from_chars(text.data(), end, mode, octal);
        if (code == std::errc{} && at == end && mode <= most) return mode;
        return std::unexpected{in_quotes(text) + " is no mode; write one as in 0660 or 0666"};
    }
    static std::string text_of(mode_t mode) { return fmt::format("{:04o}", mode); }
};

reading<gid_t> read_group(std::string_view text) {
    if (const auto number = parse_number<gid_t>(text)) return *number;
    const std::string name{text};
    std::vector<char> memory(std::size_t{16} << 10);
    group entry{};
    group* found = nullptr;
    int failed = 0;
    while ((failed = ::getgrnam_r(name.c_str(), &entry, memory.data(), memory.size(), &found)) ==
           ERANGE) {
        memory.resize(2 * memory.size());
    }
    if (found != nullptr) return entry.gr_gid;
    return std::unexpected{failed == 0
                               ? fmt::format("there is no group {}", in_quotes(text))
                               : fmt::format("cannot look up the group {}: {}", in_quotes(text),
                                             error::system(failed).message())};
}

}  // namespace

void add_door_options(CLI::App& command, door_options& into, const std::string& group) {
    add_value(command, "--socket-mode", into.sockets.mode, mode_reader{}, "MODE",
              "Who may connect to a Unix socket, as chmod takes it (0660)")
        ->group(group);
    add_value(command, "--socket-group", into.sockets.group, read_group, "GROUP",
              "The group of the file of a Unix socket (that of the server)")
        ->group(group);
    command
        .add_option("--pid-file", into.pid_file,
                    "Write the number of the process there, for as long as it serves")
        ->type_name("FILE")
        ->group(group);
}

}  // namespace sluice::cli
