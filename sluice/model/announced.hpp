// Reads the header in which a trusted proxy names its client, before a connection is served.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/net/address.hpp"
#include "sluice/wire/proxy_header.hpp"

namespace sluice::model {

/// The address of a client that a trusted proxy has named; null: that of the socket.
using announced_address = std::unique_ptr<const net::address>;

/// The address of the client at the other end of `socket`. Errors of address::peer_of().
[[nodiscard]] result<net::address> address_of(const announced_address& announced, int socket);

/// Reads the PROXY header of one connection in steps, from the socket alone: before TLS, and
/// without a byte of what follows it. Between two steps its caller waits until the socket can be
/// read (poll(2)).
class announcement {
 public:
    enum class step : std::uint8_t {
        waits,   ///< more bytes are to come first
        served,  ///< the connection is to be served, as client()'s if it was named
        failed,  ///< the connection is of no use: its header is not (why()), or its peer has gone
    };

    /// Looks at what has come. Never blocks.
    [[nodiscard]] step advance(int socket) noexcept;
    /// No more time is left: served if the bytes may be a client's own, or none came.
    [[nodiscard]] step give_up(int socket) noexcept;

    /// After `served`: the client that was named; null if the proxy spoke for itself, or sent no
    /// header. Once.
    [[nodiscard]] announced_address client() noexcept { return std::move(client_); }
    /// After `failed`: what is wrong with the header, as the end of "it is ..."; empty if nothing
    /// is. Static.
    [[nodiscard]] std::string_view why() const noexcept { return why_; }

 private:
    step end(int socket, std::string_view why) noexcept;
    step take(int socket, const wire::proxy_header& header) noexcept;
    void wait_for(int socket, std::size_t bytes) noexcept;

    announced_address client_;
    std::string_view why_;
    std::size_t needed_ = 1;  // bytes for the socket to be readable (SO_RCVLOWAT)
    bool is_certain_ = false;
};

/// The same with its waits, in the awaiter's context: `served` or `failed`, which it also is, with
/// no reason, if the context was cancelled. The socket is attached to no engine, before and after.
[[nodiscard]] coro::task<announcement::step> receive_announcement(io::engine& engine, int socket,
                                                                  announcement& into,
                                                                  io::time_point until);

}  // namespace sluice::model
