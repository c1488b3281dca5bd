// Writes to stdout and remembers the first failure.
#include "sluice/cli/output.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

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

std::function<void(std::string_view)> lines_to_stdout(bool quiet) {
    if (quiet) return [](std::string_view) {};
    return [](std::string_view what) {
        const std::string line = std::string{what} + '\n';
        if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) return;
    };
}

int finish_output() {
    errno = 0;
    keep(std::fflush(stdout) == 0);
    return first_error;
}

}  // namespace sluice::cli
