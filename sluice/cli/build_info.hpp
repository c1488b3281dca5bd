// Says what this program was built from and with, for `sluice --version`.
#pragma once

#include <string>

namespace sluice::cli {

/// Lines without a newline at the end. The first is `sluice VERSION`, for programs; each of those
/// that follow is a name, a colon and a value: the commit, the compiler, the libraries, the
/// engines.
[[nodiscard]] std::string describe_build();

}  // namespace sluice::cli
