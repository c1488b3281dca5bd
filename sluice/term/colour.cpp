// Implements is_terminal() and may_colour() with isatty(3), TERM and NO_COLOR.
#include "sluice/term/colour.hpp"

#include <cstdlib>
#include <string_view>

#include "sluice/os/terminal.hpp"

namespace sluice::term {

bool is_terminal(int fd) noexcept {
    const char* kind = std::getenv("TERM");
    const bool dumb = kind != nullptr && std::string_view{kind} == "dumb";
    return !dumb && os::is_terminal(fd);
}

bool may_colour(std::FILE* stream) noexcept {
    const char* no_color = std::getenv("NO_COLOR");
    if (no_color != nullptr && *no_color != '\0') return false;
    return is_terminal(::fileno(stream));
}

}  // namespace sluice::term
