// The rights that accounts and tokens have: their words, and what they cover.
#pragma once

#include <array>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/files/server/permissions.hpp"

namespace sluice::cli {

/// WHAT or WHAT:/PATH for files, where WHAT is read, upload, overwrite, delete or all (of these);
/// `chat`, `ask`, `talk` and `metrics` for a chat, for questions to `compute`, for `talk`, and for
/// the address of --metrics.
class rights {
 public:
    /// Adds the right that the text is. The error is a sentence without its full stop, and safe on
    /// a terminal; nothing is added then.
    [[nodiscard]] std::expected<void, std::string> grant(std::string_view text);
    /// Whether everything that the right `text` allows is allowed. False for other text.
    [[nodiscard]] bool cover(std::string_view text) const;

 private:
    static constexpr std::array<std::string_view, 4> of_lines{"chat", "ask", "talk", "metrics"};
    /// None if it is no word of a door of lines.
    [[nodiscard]] static std::optional<std::size_t> index_of(std::string_view text) noexcept;

    files::permissions files_;
    std::array<bool, of_lines.size()> lines_{};
};

/// For auth::right_check.
[[nodiscard]] std::string why_no_right(std::string_view text);

}  // namespace sluice::cli
