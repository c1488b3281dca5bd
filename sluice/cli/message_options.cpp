// Implements the options --framing and --max-line.
#include "sluice/cli/message_options.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <expected>
#include <string_view>
#include <utility>

#include "sluice/cli/options.hpp"
#include "sluice/cli/text.hpp"

namespace sluice::cli {
namespace {

reading<std::uint64_t> read_length(std::string_view text) {
    constexpr std::uint64_t most = std::uint64_t{1} << 30;
    auto size = read_size(text);
    if (size && (*size == 0 || *size > most)) {
        return std::unexpected{in_quotes(text) + " is no length of a message; write 1 to 1G"};
    }
    return size;
}

}  // namespace

void add_framing_option(CLI::App& command, wire::framing& into, const std::string& flag) {
    using enum wire::framing;
    constexpr std::array<std::pair<std::string_view, wire::framing>, 3> framings{
        {{"auto", automatic}, {"line", line}, {"raw", raw}}};
    add_value(command, flag, into, one_of{framings}, "HOW",
              "What ends a message: auto, line or raw (auto); raw to measure unterminated clients");
}

void add_max_line_option(CLI::App& command, std::size_t& into, const std::string& what,
                         const std::string& flag) {
    constexpr std::size_t kibi = 1024;
    add_value(command, flag, into, read_length, "SIZE",
              fmt::format("Longest {}, in bytes ({}K)", what, into / kibi));
}

}  // namespace sluice::cli
