// Writes a collection in the text formats of Prometheus and of OpenMetrics.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/metrics/collection.hpp"

namespace sluice::metrics {

/// How metrics are written.
enum class format : std::uint8_t {
    prometheus,   ///< Prometheus's text format, version 0.0.4
    openmetrics,  ///< OpenMetrics 1.0.0
};

/// The media type of the format, for Content-Type.
[[nodiscard]] std::string_view media_type_of(format f) noexcept;
/// The format that an Accept field (RFC 9110, section 12.5.1) prefers; Prometheus's if none.
[[nodiscard]] format preferred_format(std::string_view accept) noexcept;

/// All metrics of the collection, each once with its help, its type and all its samples, in the
/// order in which they first come.
[[nodiscard]] std::string expose(const collection& all, format f);

}  // namespace sluice::metrics
