// Implements parse_config, line by line.
#include "sluice/cli/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "sluice/cli/text.hpp"

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

bool is_name(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
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
    const auto part_is_odd = [](auto part) { return !is_name(std::string_view{part}); };
    if (section.empty() || std::ranges::any_of(section | std::views::split(' '), part_is_odd)) {
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
    if (equals == std::string_view::npos || !is_name(key)) {
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

std::expected<std::vector<config_entry>, config_mistake> parse_config(std::string_view text) {
    std::vector<config_entry> entries;
    std::string section;
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || is_comment(line)) continue;
        if (line.starts_with('[')) {
            auto name = read_section(line);
            if (!name) return std::unexpected{config_mistake{number, std::move(name.error())}};
            section = std::move(*name);
            continue;
        }
        auto entry = read_entry(line);
        if (!entry) return std::unexpected{config_mistake{number, std::move(entry.error())}};
        entry->section = section;
        entry->line = number;
        entries.push_back(std::move(*entry));
    }
    return entries;
}

std::optional<std::string> section_opened_by(std::string_view line) {
    line = trimmed(line);
    auto name = line.starts_with('[') ? read_section(line) : std::unexpected{std::string{}};
    if (!name) return std::nullopt;
    return std::move(*name);
}

}  // namespace sluice::cli
