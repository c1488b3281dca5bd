// Writes to stdout and remembers the first failure.
#include "sluice/cli/output.hpp"

#include <cerrno>
#include <cstdio>

namespace sluice::cli {
namespace {

int first_error = 0;

void keep(bool written) {
    if (!written && first_error == 0) first_error = errno == 0 ? EIO : errno;
}

}  // namespace

void print(std::string_view text) {
    errno = 0;
    keep(std::fwrite(text.data(), 1, text.size(), stdout) == text.size());
}

int finish_output() {
    errno = 0;
    keep(std::fflush(stdout) == 0);
    return first_error;
}

}  // namespace sluice::cli
