// Opens the engine that --engine asks for, and explains why that fails.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "sluice/cli/serve_options.hpp"
#include "sluice/io/engine.hpp"

namespace sluice::cli {

/// Makes the engine `wanted` for the calling thread. `automatic` takes epoll where io_uring does
/// not work, and announces why. The error is a sentence without its full stop.
[[nodiscard]] std::expected<std::unique_ptr<io::engine>, std::string> open_engine(
    engine_request wanted, const io::engine_options& o = {});

}  // namespace sluice::cli
