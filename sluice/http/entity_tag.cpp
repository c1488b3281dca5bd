// Implements strong and weak comparison of entity tags.
#include "sluice/http/entity_tag.hpp"

#include <algorithm>

#include "sluice/http/text.hpp"

namespace sluice::http {
namespace {

constexpr std::string_view weak_lead = "W/";

std::string_view without_lead(std::string_view tag) noexcept {
    return tag.starts_with(weak_lead) ? tag.substr(weak_lead.size()) : tag;
}

bool lists(std::string_view list, std::string_view tag, bool weakly) noexcept {
    // A tag may hold a backslash, which is one character like any other (RFC 9110, section 8.8.3).
    while (const auto element = next_element(list, false)) {
        if (*element == "*") return true;
        if ((weakly ? without_lead(*element) : *element) == tag) return true;
    }
    return false;
}

}  // namespace

bool lists_strongly(std::string_view list, std::string_view tag) noexcept {
    return lists(list, tag, false);
}

bool lists_weakly(std::string_view list, std::string_view tag) noexcept {
    return lists(list, tag, true);
}

bool is_entity_tag(std::string_view text) noexcept {
    text = without_lead(text);
    if (text.size() < 2 || text.front() != '"' || text.back() != '"') return false;
    return std::ranges::all_of(text.substr(1, text.size() - 2), [](char c) {
        return static_cast<unsigned char>(c) > ' ' && c != '"' && c != '\x7f';
    });
}

}  // namespace sluice::http
