// Plain waits and socket calls for clients of a world, which are no programs of ours.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/base/bytes.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/tls/session.hpp"

namespace sluice::worlds {

/// Lets 50 ms of virtual time pass for the calling fiber, before another try.
void wait_a_while();

/// A client's socket: blocking, spoken to by plain calls, as by a program in Python; over TLS in a
/// world that has it. Each call gives up after `patience`.
class plain_client {
 public:
    /// Connected to 127.0.0.1:`port`; nullopt if that failed.
    [[nodiscard]] static std::optional<plain_client> connect(std::uint16_t port,
                                                             std::chrono::milliseconds patience);

    /// Sends all of it. False if the connection broke or patience ended.
    [[nodiscard]] bool send(std::string_view text);
    /// The next line without its end; nullopt at the end of the stream, if it broke, or when
    /// patience ended.
    [[nodiscard]] std::optional<std::string> line();
    /// Bytes that have come, without waiting: their number; 0 at the end of the stream; -EAGAIN if
    /// there are none, or another negative number if it broke.
    [[nodiscard]] ssize_t receive(mutable_bytes into) const noexcept;
    /// At least one byte of what comes; empty at the end of the stream; nullopt if it broke or
    /// patience ended.
    [[nodiscard]] std::optional<std::string> some();
    /// True if the stream has ended in order, with nothing left in it.
    [[nodiscard]] bool ended();
    /// Ends the sending side, over TLS with its announcement.
    void shut() noexcept;
    /// Closes it so that the peer is reset.
    void reset() noexcept;
    /// The descriptor, owned by this.
    [[nodiscard]] int fd() const noexcept { return socket_.get(); }

 private:
    plain_client(unique_fd socket, std::chrono::milliseconds patience) noexcept
        : socket_{std::move(socket)}, patience_{patience} {}
    [[nodiscard]] bool wait(short events) const noexcept;
    [[nodiscard]] bool shake_hands();
    /// Sends the records that wait. False if the connection broke or patience ended.
    [[nodiscard]] bool flush() const noexcept;
    [[nodiscard]] ssize_t try_send(const_bytes data) const noexcept;

    unique_fd socket_;
    std::unique_ptr<tls::session> secure_;  // null: in the clear
    std::chrono::milliseconds patience_;
    std::string received_;  // and not yet returned
    bool at_end_ = false;
};

}  // namespace sluice::worlds
