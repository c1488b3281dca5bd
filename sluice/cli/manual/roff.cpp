// Implements the writing of manual pages.
#include "sluice/cli/manual/roff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "sluice/cli/text.hpp"

namespace sluice::cli {
namespace {

/// Characters that roff gives a meaning, or typography, as what they are (groff_char(7)).
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '\\': out += "\\(rs"; break;
            case '-': out += "\\-"; break;
            case '\'': out += "\\(aq"; break;
            case '"': out += "\\(dq"; break;
            case '^': out += "\\(ha"; break;
            case '~': out += "\\(ti"; break;
            default: out += c;
        }
    }
    return out;
}

/// The same, with what stands between backticks in bold.
std::string with_code(std::string_view text) {
    std::string out;
    bool bold = false;
    while (!text.empty()) {
        const auto end = std::min(text.find('`'), text.size());
        out += escaped(text.substr(0, end));
        if (end < text.size()) {
            out += bold ? "\\fR" : "\\fB";
            bold = !bold;
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

/// A dot that begins a line is no request.
std::string as_text_line(std::string_view line) {
    return (line.starts_with('.') ? "\\&" : "") + std::string{line} + '\n';
}

}  // namespace

roff::roff(std::string_view name, std::string_view section) {
    std::string title{name};
    std::ranges::transform(title, title.begin(), [](char c) {
        return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    });
    text_ = fmt::format(".TH {} {} {} \"sluice " SLUICE_VERSION "\" \"{}\"\n.nh\n.ad l\n",
                        escaped(title), section, manual_date,
                        section == "1" ? "User Commands" : "File Formats");
}

void roff::heading(std::string_view macro, std::string_view text) {
    text_ += fmt::format(".{} \"{}\"\n", macro, escaped(text));
    begins_ = true;
}

void roff::begin_paragraph() {
    if (!begins_) text_ += ".PP\n";
    begins_ = false;
}

void roff::fill(std::string_view text) {
    constexpr std::size_t columns = 78;
    auto lines = wrapped(with_code(text), 0, columns);
    for (std::string_view rest = lines; !rest.empty();) {
        const auto end = rest.find('\n');
        text_ += as_text_line(rest.substr(0, end));
        rest.remove_prefix(end + 1);
    }
}

void roff::section(std::string_view name) {
    heading("SH", name);
}

void roff::subsection(std::string_view name) {
    heading("SS", name);
}

void roff::paragraphs(std::string_view text) {
    constexpr std::string_view between = "\n\n";
    while (!text.empty()) {
        const auto end = std::min(text.find(between), text.size());
        begin_paragraph();
        fill(text.substr(0, end));
        text.remove_prefix(std::min(end + between.size(), text.size()));
    }
}

void roff::entry(std::string_view tag, std::string_view text, std::string_view value) {
    const auto shown = tag.empty() ? std::string{} : fmt::format("\\fB{}\\fR", escaped(tag));
    const auto behind = value.empty() ? std::string{} : fmt::format("\\fI{}\\fR", escaped(value));
    const auto* between = shown.empty() || behind.empty() ? "" : " ";
    text_ += fmt::format(".TP\n{}{}{}\n", shown, between, behind);
    fill(text);
    begins_ = false;
}

void roff::verbatim(std::string_view lines) {
    begin_paragraph();
    text_ += ".RS 4\n.nf\n";
    while (!lines.empty()) {
        const auto end = std::min(lines.find('\n'), lines.size());
        text_ += as_text_line(escaped(lines.substr(0, end)));
        lines.remove_prefix(std::min(end + 1, lines.size()));
    }
    text_ += ".fi\n.RE\n";
}

}  // namespace sluice::cli
