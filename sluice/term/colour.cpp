// Implements may_colour() with isatty(3), TERM and NO_COLOR.
#include "sluice/term/colour.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace sluice::term {

bool may_colour(std::FILE* stream) noexcept {
    const char* no_color = std::getenv("NO_COLOR");
    if (no_color != nullptr && *no_color != '\0') return false;
    const char* term_type = std::getenv("TERM");
    if (term_type != nullptr && std::string_view{term_type} == "dumb") return false;
    return ::isatty(::fileno(stream)) == 1;
}

}  // namespace sluice::term
