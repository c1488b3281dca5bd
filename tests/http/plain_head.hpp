// The plainest reader of a request's head: the grammar of RFC 9112 and nothing else, for
// comparison.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::http {

/// A head as its grammar has it; no field has a meaning.
struct plain_head {
    std::string_view method;
    std::string_view target;
    std::string_view version;  ///< `1.1`
    std::vector<std::pair<std::string_view, std::string_view>> fields;
};

namespace plain {

inline bool is_tchar(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view{"!#$%&'*+-.^_`|~"}.contains(c);
}
inline bool is_visible(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f;
}
inline bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
inline bool is_blank(char c) {
    return c == ' ' || c == '\t';
}
template <class Is>
bool all(std::string_view text, Is is) {
    return std::ranges::all_of(text, is);
}

/// Removes the part of `text` before `end` and `end` itself; none if `end` is not there.
inline std::optional<std::string_view> up_to(std::string_view& text, std::string_view end) {
    const auto at = text.find(end);
    if (at == std::string_view::npos) return std::nullopt;
    const auto part = text.substr(0, at);
    text.remove_prefix(at + end.size());
    return part;
}

}  // namespace plain

/// Reads a whole head, its empty line included (RFC 9112, sections 2.1, 2.2, 3 and 5).
inline std::optional<plain_head> plain_parse_head(std::string_view text) {
    using namespace plain;
    while (text.starts_with("\r\n")) text.remove_prefix(2);
    auto line = up_to(text, "\r\n");
    if (!line) return std::nullopt;
    const auto method = up_to(*line, " ");
    const auto target = up_to(*line, " ");
    if (!method || method->empty() || !all(*method, is_tchar)) return std::nullopt;
    if (!target || target->empty() || !all(*target, is_visible)) return std::nullopt;
    if (line->size() != 8 || !line->starts_with("HTTP/") || !is_digit((*line)[5]) ||
        (*line)[6] != '.' || !is_digit((*line)[7])) {
        return std::nullopt;
    }
    plain_head found{
        .method = *method, .target = *target, .version = line->substr(5), .fields = {}};
    for (;;) {
        auto field = up_to(text, "\r\n");
        if (!field) return std::nullopt;
        if (field->empty()) break;
        const auto name = up_to(*field, ":");
        if (!name || name->empty() || !all(*name, is_tchar)) return std::nullopt;
        if (!all(*field, [](char c) { return is_visible(c) || is_blank(c); })) return std::nullopt;
        while (!field->empty() && is_blank(field->front())) field->remove_prefix(1);
        while (!field->empty() && is_blank(field->back())) field->remove_suffix(1);
        found.fields.emplace_back(*name, *field);
    }
    return text.empty() ? std::optional{std::move(found)} : std::nullopt;
}

}  // namespace sluice::http
