// Implements strong and weak comparison of entity tags.
#include "sluice/http/entity_tag.hpp"

#include "sluice/http/text.hpp"

namespace sluice::http {
namespace {

constexpr std::string_view weak_lead = "W/";

std::string_view without_lead(std::string_view tag) noexcept {
    return tag.starts_with(weak_lead) ? tag.substr(weak_lead.size()) : tag;
}

bool lists(std::string_view list, std::string_view tag, bool weakly) noexcept {
    while (const auto element = next_element(list)) {
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
    return text.size() >= 2 && text.front() == '"' && text.back() == '"';
}

}  // namespace sluice::http
