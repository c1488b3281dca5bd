// What every server opens first: an engine and a door, with words for what stands in the way.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "sluice/base/fd.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"

namespace sluice::cli {

/// The engine that was asked for, for the calling thread. `automatic` takes epoll where io_uring
/// does not work and announces why. The error is a sentence without its full stop.
[[nodiscard]] std::expected<std::unique_ptr<io::engine>, std::string> open_engine(
    engine_request wanted);

/// A socket that listens at `where` (net::resolve, which may block), of several addresses at the
/// first that can be had. The error is a sentence without its full stop.
[[nodiscard]] std::expected<unique_fd, std::string> open_door(const std::string& where,
                                                              const net::listen_options& o = {});

/// Announces `listening on 127.0.0.1:5000 (event, uring)`.
void announce_listening(const net::address& where, model_kind model, io::engine_kind engine);

}  // namespace sluice::cli
