// Implements the writing of settings: finds the line of a setting, or where it belongs.
#include "sluice/cli/lab/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/cli/config.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/cli/text_file.hpp"

namespace sluice::cli {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text += line + '\n';
    return text;
}

}  // namespace

std::string with_setting(std::string_view text, std::string_view command, std::string_view key,
                         std::string_view value) {
    auto lines = lines_of(text);
    auto setting = fmt::format("{} = {}", key, value);
    if (const auto entries = parse_config(text)) {
        const config_entry* known = nullptr;
        for (const auto& each : *entries) {
            if (each.section == command && each.key == key) known = &each;
        }
        if (known != nullptr) {
            lines[known->line - 1] = std::move(setting);
            return joined(lines);
        }
    }
    std::optional<std::size_t> place;
    bool inside = false;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (const auto section = section_opened_by(lines[i])) inside = *section == command;
        const bool is_blank = lines[i].find_first_not_of(" \t\r") == std::string::npos;
        if (inside && !is_blank) place = i + 1;
    }
    if (place) {
        lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(*place), std::move(setting));
        return joined(lines);
    }
    std::string name{command};
    std::ranges::replace(name, ' ', '.');
    if (!lines.empty()) lines.emplace_back();
    lines.push_back(fmt::format("[{}]", name));
    lines.push_back(std::move(setting));
    return joined(lines);
}

std::expected<void, std::string> write_setting(const std::string& path, std::string_view command,
                                               std::string_view key, std::string_view value) {
    auto text = read_text(path);
    if (!text && !text.error().is(ENOENT)) {
        return std::unexpected{fmt::format("cannot read the configuration {}: {}", in_quotes(path),
                                           text.error().message())};
    }
    const auto before = text ? *text : std::string{};
    if (const auto entries = parse_config(before); !entries) {
        return std::unexpected{fmt::format("{}:{}: {}; nothing was changed", path,
                                           entries.error().line, entries.error().what)};
    }
    const auto after = with_setting(before, command, key, value);
    if (const auto done = replace_text(path, path + ".new", after); !done) {
        return std::unexpected{fmt::format("cannot write the configuration {}: {}", in_quotes(path),
                                           done.error().message())};
    }
    return {};
}

}  // namespace sluice::cli
