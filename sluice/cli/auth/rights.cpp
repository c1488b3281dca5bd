// Implements the words of rights, over the permissions of files.
#include "sluice/cli/auth/rights.hpp"

#include <algorithm>

#include "sluice/auth/account.hpp"
#include "sluice/cli/text.hpp"

namespace sluice::cli {
namespace {

using files::operation;

/// A right for files in its two parts.
struct file_right {
    std::string_view what;
    std::string_view path;  // without a slash at either end; empty: everything
};

file_right split_right(std::string_view text) noexcept {
    const auto colon = std::min(text.find(':'), text.size());
    file_right found{.what = text.substr(0, colon), .path = text.substr(colon)};
    while (found.path.starts_with(':') || found.path.starts_with('/')) found.path.remove_prefix(1);
    while (found.path.ends_with('/')) found.path.remove_suffix(1);
    return found;
}

/// Of two such paths.
bool is_at_or_below(std::string_view path, std::string_view top) noexcept {
    if (top.empty()) return true;
    return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
}

}  // namespace

std::expected<void, std::string> rights::grant(std::string_view text) {
    if (!auth::is_right_text(text)) {
        return std::unexpected{in_quotes(text) +
                               " is no right: it is empty, or holds a blank, a comma or a control "
                               "character"};
    }
    if (text == "chat" || text == "ask") {
        (text == "chat" ? chat_ : ask_) = true;
        return {};
    }
    const auto [what, path] = split_right(text);
    const bool reads = what == "read";
    const bool changes =
        what == "upload" || what == "overwrite" || what == "delete" || what == "all";
    files::permissions changed = files_;
    // The path of a right to read is as those of the others.
    if ((!reads && !changes) ||
        !changed.grant(std::string{reads ? "upload" : what} + ":" + std::string{path})) {
        return std::unexpected{in_quotes(text) +
                               " is no right; write read, upload, overwrite, delete or all, with a "
                               "path behind a colon "
                               "if only that is meant, as in upload:/inbox; or chat or ask"};
    }
    if (changes) files_ = std::move(changed);
    if (reads || what == "all") readable_.emplace_back(path);
    return {};
}

bool rights::cover(std::string_view text) const {
    if (text == "chat") return chat_;
    if (text == "ask") return ask_;
    const auto [what, path] = split_right(text);
    const bool may_read = std::ranges::any_of(
        readable_, [below = path](std::string_view top) { return is_at_or_below(below, top); });
    if (what == "read") return may_read;
    if (what == "upload") return files_.allows(operation::upload, path);
    if (what == "overwrite") return files_.allows(operation::overwrite, path);
    if (what == "delete") return files_.allows(operation::remove, path);
    return what == "all" && may_read && files_.allows(operation::overwrite, path) &&
           files_.allows(operation::remove, path);
}

std::string why_no_right(std::string_view text) {
    auto granted = rights{}.grant(text);
    return granted ? std::string{} : std::move(granted.error());
}

}  // namespace sluice::cli
