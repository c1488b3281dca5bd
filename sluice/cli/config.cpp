// Implements parse_config, line by line.
#include "sluice/cli/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "sluice/cli/text.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::cli {
namespace {

constexpr std::string_view blank = " \t\r";

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

bool is_comment(std::string_view text) {
    return text.starts_with('#') || text.starts_with(';');
}

/// A comment within a line begins at a # or ; that follows a blank.
std::string_view without_comment(std::string_view text) {
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (is_comment(text.substr(at)) && (at == 0 || blank.contains(text[at - 1]))) {
            return trimmed(text.substr(0, at));
        }
    }
    return text;
}

bool is_word(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
}

/// Words with a `separator` between.
bool is_name(std::string_view text, char separator) {
    return !text.empty() && std::ranges::all_of(text | std::views::split(separator), [](auto word) {
        return is_word(std::string_view{word});
    });
}

std::expected<std::string, std::string> read_section(std::string_view line) {
    const auto body = without_comment(line);
    if (!body.ends_with(']')) {
        return std::unexpected{fmt::format(
            "{} opens a section and never closes it; write [talk.serve]", in_quotes(line))};
    }
    std::string section{trimmed(body.substr(1, body.size() - 2))};
    std::ranges::replace(section, '.', ' ');
    if (!is_name(section, ' ')) {
        return std::unexpected{fmt::format(
            "{} is no section; write the command's words, as in [talk.serve]", in_quotes(line))};
    }
    return section;
}

std::expected<std::string, std::string> read_value(std::string_view text) {
    if (!text.starts_with('"') && !text.starts_with('\''))
        return std::string{without_comment(text)};
    const auto close = text.find(text.front(), 1);
    if (close == std::string_view::npos) {
        return std::unexpected{
            fmt::format("{} opens a quote and never closes it", in_quotes(text))};
    }
    const auto rest = trimmed(text.substr(close + 1));
    if (!rest.empty() && !is_comment(rest)) {
        return std::unexpected{fmt::format(
            "{} stands after the closing quote; put all of the value in quotes", in_quotes(rest))};
    }
    return std::string{text.substr(1, close - 1)};
}

std::expected<config_entry, std::string> read_entry(std::string_view line) {
    const auto equals = line.find('=');
    const auto key = trimmed(line.substr(0, equals));
    if (equals == std::string_view::npos || !is_name(key, '.')) {
        return std::unexpected{fmt::format(
            "{} is no setting; write KEY = VALUE, as in listen = 5000", in_quotes(line))};
    }
    auto value = read_value(trimmed(line.substr(equals + 1)));
    if (!value) return std::unexpected{std::move(value.error())};
    config_entry entry{.section = {}, .key = std::string{key}, .value = std::move(*value)};
    std::ranges::replace(entry.key, '_', '-');
    return entry;
}

}  // namespace

std::string config_entry::name() const {
    std::string text = section;
    std::ranges::replace(text, ' ', '.');
    return text.empty() ? key : text + '.' + key;
}

config_text read_config(std::string_view text) {
    config_text found;
    std::optional<std::string> section{""};  // none: that of a mistake
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || is_comment(line)) continue;
        if (line.starts_with('[')) {
            auto name = read_section(line);
            section.reset();
            if (!name) {
                found.mistakes.push_back({number, std::move(name.error())});
                continue;
            }
            found.sections.push_back({*name, number});
            section = std::move(*name);
            continue;
        }
        auto entry = read_entry(line);
        if (!entry) {
            found.mistakes.push_back({number, std::move(entry.error())});
        } else if (section) {
            entry->section = *section;
            entry->line = number;
            found.entries.push_back(std::move(*entry));
        }
    }
    return found;
}

std::expected<std::vector<config_entry>, config_mistake> parse_config(std::string_view text) {
    auto found = read_config(text);
    if (!found.mistakes.empty()) return std::unexpected{std::move(found.mistakes.front())};
    return std::move(found.entries);
}

std::optional<std::string> config_value(std::string_view value) {
    if (!wire::is_printable(value)) return std::nullopt;
    const bool is_quoted = value.starts_with('"') || value.starts_with('\'');
    const bool is_plain =
        !value.empty() && !is_quoted && trimmed(value) == value && without_comment(value) == value;
    if (is_plain) return std::string{value};
    for (const char quote : {'"', '\''}) {
        if (!value.contains(quote)) return fmt::format("{0}{1}{0}", quote, value);
    }
    return std::nullopt;
}

std::optional<std::string> section_opened_by(std::string_view line) {
    line = trimmed(line);
    auto name = line.starts_with('[') ? read_section(line) : std::unexpected{std::string{}};
    if (!name) return std::nullopt;
    return std::move(*name);
}

}  // namespace sluice::cli
