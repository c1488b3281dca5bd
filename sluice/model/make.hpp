// Factory of servers: one of each model.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "sluice/io/engine.hpp"
#include "sluice/model/model.hpp"

namespace sluice::model {

/// The endpoints listen; for the event model with several shards they share their ports
/// (net::listen_options). The error is a sentence without its full stop.
[[nodiscard]] std::expected<std::unique_ptr<server>, std::string> make(
    kind which, io::engine& engine, std::vector<endpoint> endpoints, server_options o);

}  // namespace sluice::model
