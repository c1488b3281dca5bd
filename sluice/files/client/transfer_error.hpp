// Errors of file transfers, and the functions that make them.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "sluice/base/result.hpp"

namespace sluice::files {

enum class transfer_error_kind : std::uint8_t {
    failed,       ///< refused by the server, or by the local disk
    unreachable,  ///< no connection, or a broken one
    corrupted,    ///< the bytes that arrived are not those that were sent
    cancelled,    ///< by the user
};

struct transfer_error {
    transfer_error_kind kind = transfer_error_kind::failed;
    /// Message for the user: cause, expectation, remedy. Printable, without its full stop.
    std::string what;
    /// A retry may succeed a little later.
    bool may_pass = false;
};

/// A value, or the error of an attempt.
template <class T>
using attempt = std::expected<T, transfer_error>;

/// `doing` names the failed step: "connecting to 127.0.0.1:8080". Sets may_pass.
[[nodiscard]] std::unexpected<transfer_error> of_connection(const std::string& doing, error e);
/// The same for an error of a local file, without may_pass.
[[nodiscard]] std::unexpected<transfer_error> of_disk(const std::string& doing, error e);
/// An error that a retry does not solve.
[[nodiscard]] std::unexpected<transfer_error> failed(std::string what);
/// Whether the error is of a file or its disk rather than of a connection.
[[nodiscard]] bool is_of_disk(error e) noexcept;

}  // namespace sluice::files
