// Lines of the access log about a client whose fields are any bytes: nothing in them is taken for
// more than text by a terminal, a reader of lines, or a parser of the format.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/cli/access_format.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::access_format_target {
namespace {

using namespace std::chrono_literals;
using cli::access_format;
using model::access_event;
using model::access_kind;
using sluice::check;

constexpr cli::local_time at{
    .when = std::chrono::sys_days{std::chrono::November / 30 / 2026} + 22h + 12min + 10s + 123ms,
    .offset = -90min};

/// The line, without its end, which is `end`.
std::string line_of(access_format format, const access_event& e, char end, bool& was_cut) {
    std::string line;
    was_cut = cli::format_access(line, format, e, at);
    check(line.size() <= cli::longest_access_line, "a line that a pipe may break");
    check(line.ends_with(end), "a line without its end");
    line.pop_back();
    return line;
}

/// The columns of a line: blanks divide it, but for those within quotes, and within the brackets of
/// a time, the fourth column of the combined format.
std::size_t columns_of(std::string_view line) {
    std::size_t columns = 1;
    bool quoted = false;
    bool in_brackets = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\') {
            ++i;
        } else if (line[i] == '"') {
            quoted = !quoted;
        } else if (columns == 4 && (line[i] == '[' || line[i] == ']')) {
            in_brackets = line[i] == '[';
        } else if (!quoted && !in_brackets && line[i] == ' ') {
            ++columns;
        }
    }
    check(!quoted, "a quote that does not end");
    return columns;
}

void check_text(const access_event& e) {
    bool was_cut = false;
    const auto line = line_of(access_format::text, e, '\n', was_cut);
    check(wire::is_printable(line), "a line that a terminal obeys");
    const std::size_t further = e.status > 0 && !e.reason.empty() ? 1 : 0;
    check(columns_of(line) == 10 + further, "text becomes a column");
}

void check_combined(const access_event& e) {
    bool was_cut = false;
    const auto line = line_of(access_format::combined, e, '\n', was_cut);
    check(wire::is_printable(line), "a line that a terminal obeys");
    check(columns_of(line) == 9, "text becomes a column");
}

void check_json(const access_event& e) {
    bool was_cut = false;
    const auto line = line_of(access_format::json, e, '\n', was_cut);
    check(wire::is_printable(line), "a line that a terminal obeys");
    const auto read = nlohmann::json::parse(line, nullptr, false);
    check(read.is_object(), "JSON that is none");
    check(read.value("event.outcome", "") == (e.failed() ? "failure" : "success"),
          "another outcome");
    check(was_cut || read.value("user.name", "") == wire::replace_invalid_utf8(e.user),
          "another user");
    check(was_cut || read.value("event.reason", "") == wire::replace_invalid_utf8(e.reason),
          "another reason");
}

void check_entry(const access_event& e) {
    bool was_cut = false;
    const auto entry = line_of(access_format::journal, e, '\0', was_cut);
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    std::size_t messages = 0;
    for (std::string_view left = entry; !left.empty();) {
        const auto line = left.substr(0, left.find('\n'));
        left.remove_prefix(std::min(line.size() + 1, left.size()));
        check(wire::is_printable(line), "a field that a terminal obeys");
        const auto name = line.substr(0, line.find('='));
        check(
            name.size() < line.size() && name.find_first_not_of(letters) == std::string_view::npos,
            "a line that is no field");
        if (name == "MESSAGE") ++messages;
    }
    check(messages == 1, "a message of the client's");
}

/// Removes what stands before the next 0xff, and that.
std::string take_part(std::string_view& from, std::size_t times) {
    const auto part = from.substr(0, from.find('\xff'));
    from.remove_prefix(std::min(part.size() + 1, from.size()));
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += part;
    return all;
}

}  // namespace

/// A byte for the kind, one for the status, one for how often each field is repeated; then the
/// fields, with 0xff between them.
void examine(std::string_view text) {
    constexpr std::array statuses{0U, 200U, 206U, 404U, 500U};
    const auto kind = take_byte(text) % static_cast<unsigned>(access_kind::last_kind);
    const auto status = statuses.at(take_byte(text) % statuses.size());
    const std::size_t times = 1 + take_byte(text);
    const auto what = take_part(text, times);
    const auto method = take_part(text, times);
    const auto user = take_part(text, times);
    const auto reason = take_part(text, times);
    const auto referrer = take_part(text, times);
    const auto agent = take_part(text, times);
    const access_event e{.kind = static_cast<access_kind>(kind),
                         .id = {33},
                         .client = net::address::loopback(4711),
                         .user = user,
                         .what = what,
                         .method = method,
                         .referrer = referrer,
                         .agent = agent,
                         .is_old = times == 2,
                         .status = status,
                         .reason = reason,
                         .received = times,
                         .sent = what.size(),
                         .took = 12'345'678ns};
    check_text(e);
    check_combined(e);
    check_json(e);
    check_entry(e);
}

}  // namespace sluice::fuzz::access_format_target
