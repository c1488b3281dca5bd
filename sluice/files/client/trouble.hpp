// What can come of an attempt to move a file, other than the file.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "sluice/base/result.hpp"

namespace sluice::files {

enum class trouble_kind : std::uint8_t {
    failed,       ///< refused by the other side, or by our own disk
    unreachable,  ///< nobody there, or gone in the middle
    corrupted,    ///< what arrived is not what was sent
    cancelled,    ///< by whoever runs us
};

struct trouble {
    trouble_kind kind = trouble_kind::failed;
    /// What was wrong, what was expected, what to do: for people, without its full stop, and fit
    /// for a terminal.
    std::string what;
    /// The same may work a little later.
    bool may_pass = false;
};

/// A value, or what came instead.
template <class T>
using attempt = std::expected<T, trouble>;

/// `doing` is what failed: "connecting to 127.0.0.1:8080". Errors of a connection may pass.
[[nodiscard]] std::unexpected<trouble> of_connection(const std::string& doing, error e);
/// The same for what our own files do; these do not pass.
[[nodiscard]] std::unexpected<trouble> of_disk(const std::string& doing, error e);
/// Something that does not pass.
[[nodiscard]] std::unexpected<trouble> failed(std::string what);
/// Whether it is about a file or its disk, rather than the connection beside it.
[[nodiscard]] bool is_of_disk(error e) noexcept;

}  // namespace sluice::files
