// Implements permissions: grants, and the paths that they cover.
#include "sluice/files/server/permissions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <ranges>
#include <utility>

#include "sluice/files/server/path.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::files {
namespace {

constexpr std::array<std::pair<std::string_view, operation>, 4> operations{
    {{"read", operation::read},
     {"upload", operation::upload},
     {"overwrite", operation::overwrite},
     {"delete", operation::remove}}};

/// Whether `path` is `top` or below it.
bool is_below(std::string_view path, std::string_view top) noexcept {
    if (top.empty()) return true;
    return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
}

}  // namespace

permissions permissions::everything() {
    permissions all;
    for (const auto& [name, what] : operations) all.grant(what, {});
    return all;
}

void permissions::grant(operation what, std::string path) {
    if (what == operation::overwrite) grant(operation::upload, path);
    if (!allows(what, path)) grants_.push_back({what, std::move(path)});
}

std::expected<void, std::string> permissions::grant(std::string_view text) {
    const auto colon = std::min(text.find(':'), text.size());
    const auto word = text.substr(0, colon);
    auto path = text.substr(std::min(colon + 1, text.size()));
    while (path.starts_with('/')) path.remove_prefix(1);
    while (path.ends_with('/')) path.remove_suffix(1);
    const auto is_meant = [word](const auto& each) { return word == each.first || word == "all"; };
    if (std::ranges::none_of(operations, is_meant)) {
        return std::unexpected{
            fmt::format("{} allows nothing; write read, upload, overwrite, delete or all, and a "
                        "path behind a colon if only that is meant, as in upload:/inbox",
                        wire::in_quotes(text))};
    }
    if (!path.empty() && judge_path(path).fault != path_fault::none) {
        return std::unexpected{
            fmt::format("{} names no directory that files can be put in; write it as in {}:/inbox",
                        wire::in_quotes(text), word)};
    }
    for (const auto& each : operations | std::views::filter(is_meant)) {
        grant(each.second, std::string{path});
    }
    return {};
}

bool permissions::allows(operation what, std::string_view path) const noexcept {
    return std::ranges::any_of(grants_, [what, path](const entry& each) {
        return each.what == what && is_below(path, each.path);
    });
}

bool permissions::cover(const permissions& other) const noexcept {
    return std::ranges::all_of(other.grants_,
                               [this](const entry& each) { return allows(each.what, each.path); });
}

std::string permissions::description() const {
    std::string all;
    for (const auto& [what, path] : grants_) {
        if (what == operation::read) continue;
        const auto* const name =
            std::ranges::find(operations, what, [](const auto& o) { return o.second; });
        fmt::format_to(std::back_inserter(all), "{}{}{}{}", all.empty() ? "" : ", ", name->first,
                       path.empty() ? "" : " below /", path);
    }
    return all;
}

}  // namespace sluice::files
