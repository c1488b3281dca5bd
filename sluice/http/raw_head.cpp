// Implements reading a head without parsing it.
#include "sluice/http/raw_head.hpp"

#include <algorithm>

#include "sluice/http/text.hpp"

namespace sluice::http {
namespace {

/// The line without its end, which is removed from `text` with it.
std::string_view next_line(std::string_view& text) noexcept {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

}  // namespace

request_words first_words(std::string_view head) noexcept {
    while (head.starts_with("\r\n")) head.remove_prefix(2);
    const auto line = next_line(head);
    const auto end = std::min(line.find(' '), line.size());
    auto rest = line.substr(end);
    rest = rest.substr(std::min(rest.find_first_not_of(' '), rest.size()));
    return {.method = line.substr(0, end), .target = rest.substr(0, rest.find(' '))};
}

std::string_view raw_field(std::string_view head, std::string_view name) noexcept {
    while (!head.empty()) {
        const auto line = next_line(head);
        if (line.size() <= name.size() || line[name.size()] != ':') continue;
        if (same_word(line.substr(0, name.size()), name)) {
            return trim_blanks(line.substr(name.size() + 1));
        }
    }
    return {};
}

}  // namespace sluice::http
