// Prints the broken contract and aborts.
#include "sluice/base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace sluice {

void broken_contract(const char* what, std::source_location where) noexcept {
    std::fprintf(stderr, "%s:%u: %s: %s\n", where.file_name(), where.line(), where.function_name(),
                 what);
    std::abort();
}

}  // namespace sluice
