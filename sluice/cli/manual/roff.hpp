// Writes manual pages in the macros of man(7).
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace sluice::cli {

/// A page. Text may have `code` between backticks, which is shown bold; every other character
/// stands for itself.
class roff {
 public:
    /// `name` as in `sluice-chat`, `section` as in "1".
    roff(std::string_view name, std::string_view section);

    void section(std::string_view name);
    void subsection(std::string_view name);
    /// Paragraphs, with an empty line between them.
    void paragraphs(std::string_view text);
    /// An entry of a list. The tag is shown bold and has no code; `value`, which may be empty,
    /// stands behind it for what a user puts there.
    void entry(std::string_view tag, std::string_view text, std::string_view value = {});
    /// Lines as they are, indented.
    void verbatim(std::string_view lines);

    [[nodiscard]] std::string take() { return std::move(text_); }

 private:
    std::string text_;
    bool begins_ = false;  // a heading is the last that was written

    void heading(std::string_view macro, std::string_view text);
    void begin_paragraph();
    void fill(std::string_view text);
};

/// The date in the pages: of the last change of their texts, and so the same in every build.
inline constexpr std::string_view manual_date = "2026-11-30";

}  // namespace sluice::cli
