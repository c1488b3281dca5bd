// Asks the terminal and the environment about colour.
#include "sluice/term/colour.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace sluice::term {

bool may_colour(std::FILE* stream) noexcept {
    const char* refused = std::getenv("NO_COLOR");
    if (refused != nullptr && *refused != '\0') return false;
    const char* kind = std::getenv("TERM");
    if (kind != nullptr && std::string_view{kind} == "dumb") return false;
    return ::isatty(::fileno(stream)) == 1;
}

}  // namespace sluice::term
