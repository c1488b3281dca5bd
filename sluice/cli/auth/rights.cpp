// Implements the words of rights, over the permissions of files.
#include "sluice/cli/auth/rights.hpp"

#include <algorithm>
#include <cstddef>

#include "sluice/auth/account.hpp"
#include "sluice/cli/text.hpp"

namespace sluice::cli {

std::expected<void, std::string> rights::grant(std::string_view text) {
    if (!auth::is_right_text(text)) {
        return std::unexpected{in_quotes(text) +
                               " is no right: it is empty, or holds a blank, a comma or a control "
                               "character"};
    }
    if (const auto at = std::ranges::find(of_lines, text); at != of_lines.end()) {
        lines_.at(static_cast<std::size_t>(at - of_lines.begin())) = true;
        return {};
    }
    if (files_.grant(text)) return {};
    return std::unexpected{in_quotes(text) +
                           " is no right; write read, upload, overwrite, delete or all, with a "
                           "path behind a colon if only that is meant, as in upload:/inbox; or "
                           "chat, ask or talk"};
}

bool rights::cover(std::string_view text) const {
    if (const auto at = std::ranges::find(of_lines, text); at != of_lines.end()) {
        return lines_.at(static_cast<std::size_t>(at - of_lines.begin()));
    }
    files::permissions wanted;
    return wanted.grant(text) && files_.cover(wanted);
}

std::string why_no_right(std::string_view text) {
    auto granted = rights{}.grant(text);
    return granted ? std::string{} : std::move(granted.error());
}

}  // namespace sluice::cli
