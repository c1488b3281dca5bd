// The status of an HTTP response as its first line says it.
#pragma once

#include <string_view>

namespace sluice::http {

/// `200 OK`; that of 500 for a status that no server here gives.
[[nodiscard]] std::string_view status_line(unsigned status) noexcept;

}  // namespace sluice::http
