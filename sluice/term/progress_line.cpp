// Implements progress_line with the escape sequence that erases the rest of a line.
#include "sluice/term/progress_line.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "sluice/os/kernel.hpp"
#include "sluice/term/colour.hpp"

namespace sluice::term {

std::string progress_bar(double share, std::size_t width, bool colour) {
    const auto filled =
        static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(width));
    const std::string full(filled, '=');
    const std::string empty(width - filled, '.');
    return colour ? fmt::format("[\033[32m{}\033[0m\033[2m{}\033[0m]", full, empty)
                  : fmt::format("[{}{}]", full, empty);
}

progress_line::progress_line(sink write)
    : write_{std::move(write)}, can_draw_{write_ && is_terminal(STDERR_FILENO)} {}

std::size_t progress_line::width() noexcept {
    constexpr std::size_t usual = 80;
    winsize size{};
    const bool known = os::sys().ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return (known ? size.ws_col : usual) - 1;
}

void progress_line::draw(std::string_view text) {
    write_(fmt::format("\r{}\033[K", text));
    drawn_ = true;
}

void progress_line::clear() {
    if (drawn_) write_("\r\033[K");
    drawn_ = false;
}

}  // namespace sluice::term
