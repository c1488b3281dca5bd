// The memory in which one request is answered; an idle connection has none.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>

#include "sluice/http/request.hpp"

namespace sluice::files {

/// Lent while a connection has something to do. Its pages are touched as far as they are used.
// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): clearing it would touch every page
struct http_room {
    static constexpr std::size_t in_size = std::size_t{64} * 1024;
    static constexpr std::size_t out_size = std::size_t{64} * 1024;

    std::array<char, in_size> in;
    std::array<char, out_size> out;
    http::http_request request;
    std::string path;
};

/// What a connection keeps of a room while it waits in the middle of a request: what came and was
/// not taken, in as many bytes, and what its head says, if that has come.
struct http_stub {
    std::unique_ptr<char[]> in;
    http::http_request request;
    std::string path;
};

/// Puts a room back where the next on this thread finds it.
struct room_keeper {
    void operator()(http_room* room) const noexcept;
};
using lent_room = std::unique_ptr<http_room, room_keeper>;

/// A room, the one used last on this thread if there is one; nullptr without memory. What another
/// request left in it is still there.
[[nodiscard]] lent_room lend_room() noexcept;

}  // namespace sluice::files
