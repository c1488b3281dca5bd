// Implements the page that --help prints.
#include "sluice/cli/manual/help_page.hpp"

#include <asm/ioctls.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "sluice/base/parse_number.hpp"
#include "sluice/cli/manual/command_page.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

/// Two columns: names, and what they stand for. Where lines are short, a text stands below its
/// name.
class page_writer {
 public:
    explicit page_writer(std::size_t columns) : columns_{columns} {}

    void paragraph(std::string_view text) { text_ += wrapped(text, 0, columns_); }
    void notes(std::string_view text) { text_ += '\n' + wrapped(text, 0, columns_); }
    void heading(std::string_view name) { text_.append("\n").append(name).append(":\n"); }

    void row(std::string_view name, std::string_view text) {
        constexpr std::size_t least_columns = 64;
        constexpr std::size_t narrow = 6;
        constexpr std::size_t wide = 28;
        constexpr std::size_t gap = 2;
        const auto column = columns_ < least_columns ? narrow : wide;
        auto body = wrapped(text, column, columns_);
        const bool fits = gap + name.size() + gap <= column && column == wide && !body.empty();
        text_.append(gap, ' ').append(name);
        if (fits) {
            text_.append(column - gap - name.size(), ' ').append(body, column);
        } else {
            text_.append("\n").append(body);
        }
    }

    void example(std::string_view what, std::string_view command) {
        constexpr std::size_t indent = 2;
        text_ += wrapped(what, indent, columns_) + wrapped_command(command, 2 * indent, columns_);
    }

    [[nodiscard]] std::string take() { return std::move(text_); }

 private:
    std::size_t columns_;
    std::string text_;
};

void write_options(page_writer& out, const command_page& page) {
    for (const auto& group : groups_of(page)) {
        out.heading(group.empty() ? "Options" : std::string_view{group});
        for (const auto& option : page.options) {
            if (option.group != group) continue;
            out.row(option.usage(), option.required ? option.text + " (required)" : option.text);
        }
    }
}

}  // namespace

std::string help_page(const CLI::App& command, std::size_t columns) {
    const auto page = read_page(command);
    page_writer out{columns};
    out.paragraph(page.summary);
    out.paragraph("Usage: " + page.synopsis());
    if (!page.operands.empty()) out.heading("Operands");
    for (const auto& operand : page.operands) out.row(operand.usage(), operand.text);
    write_options(out, page);
    if (!page.commands.empty()) out.heading("Commands");
    for (const auto& each : page.commands) out.row(each.name, each.summary);
    if (!page.text->examples.empty()) out.heading("Examples");
    for (const auto& each : page.text->examples) out.example(each.what, each.command);
    if (!page.notes.empty()) out.notes(page.notes);
    return out.take();
}

std::size_t columns_of(int fd) {
    constexpr std::size_t least = 40;
    constexpr std::size_t most = 120;
    const char* named = std::getenv("COLUMNS");
    if (const auto columns = parse_number<std::size_t>(named == nullptr ? "" : named);
        columns && *columns > 0) {
        return std::clamp(*columns, least, most);
    }
    winsize size{};
    const bool known = os::sys().ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? std::clamp<std::size_t>(size.ws_col, least, most) : text_columns;
}

}  // namespace sluice::cli
