// Implements the words of rights, over the permissions of files.
#include "sluice/cli/auth/rights.hpp"

#include "sluice/auth/account.hpp"
#include "sluice/cli/text.hpp"

namespace sluice::cli {

std::optional<std::size_t> rights::index_of(std::string_view text) noexcept {
    for (std::size_t i = 0; i < of_lines.size(); ++i) {
        if (of_lines.at(i) == text) return i;
    }
    return std::nullopt;
}

std::expected<void, std::string> rights::grant(std::string_view text) {
    if (!auth::is_right_text(text)) {
        return std::unexpected{in_quotes(text) +
                               " is no right: it is empty, or holds a blank, a comma or a control "
                               "character"};
    }
    if (const auto index = index_of(text)) {
        lines_.at(*index) = true;
        return {};
    }
    if (files_.grant(text)) return {};
    return std::unexpected{in_quotes(text) +
                           " is no right; write read, upload, overwrite, delete or all, with a "
                           "path behind a colon if only that is meant, as in upload:/inbox; or "
                           "chat, ask, talk or metrics"};
}

bool rights::cover(std::string_view text) const {
    if (const auto index = index_of(text)) return lines_.at(*index);
    files::permissions wanted;
    return wanted.grant(text) && files_.cover(wanted);
}

std::string why_no_right(std::string_view text) {
    auto granted = rights{}.grant(text);
    return granted ? std::string{} : std::move(granted.error());
}

}  // namespace sluice::cli
