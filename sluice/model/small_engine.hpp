// Blocking engine with few buffers, for a thread or process that serves one client at a time.
#pragma once

#include <memory>

#include "sluice/base/result.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/make_engine.hpp"

namespace sluice::model {

/// Buffers for one client at a time.
inline constexpr io::buffer_pool::options small_buffers{.count = 8, .at_first = 8};

/// A blocking engine with buffers for few connections. ENOMEM, EMFILE ...
[[nodiscard]] inline result<std::unique_ptr<io::engine>> make_small_engine() noexcept {
    io::engine_options small;
    small.buffers = small_buffers;
    return io::make_engine(io::engine_kind::blocking, small);
}

}  // namespace sluice::model
