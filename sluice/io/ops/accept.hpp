// Accepts connections from a listening socket, as a stream.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"
#include "sluice/io/stream.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::io {

/// Whether connections are accepted before a caller asks for them.
enum class accepting : std::uint8_t {
    ahead,  ///< as they come, on io_uring
    /// One per next(): the others wait in the backlog. Each next() is one accept4(2) on the calling
    /// thread, on every engine, so that a turn accepts as many as its budget allows; io_uring only
    /// polls, once the backlog is empty.
    one_by_one,
};

/// Repeated accept4(2). Each socket is closed on exec, and non-blocking if its engine needs that.
/// An error (EMFILE ...) ends one next(), not the stream. `fd` is non-blocking where connections
/// are accepted one by one.
class accept_stream final : public stream<accept_stream, unique_fd> {
 public:
    accept_stream(engine& owner, int fd, accepting how = accepting::ahead);

    [[nodiscard]] bool has_result() const noexcept {
        return next_ < accepted_.size() || error_ != 0;
    }
    [[nodiscard]] result<unique_fd> take() noexcept;
    /// Who connected to the socket that take() gave last, if accept4(2) has said it: AF_UNSPEC on
    /// io_uring, of sockets that were accepted ahead. Of a Unix socket the family alone.
    [[nodiscard]] const sockaddr_in6& peer() const noexcept { return peer_; }
    /// All accepted sockets that were not taken.
    [[nodiscard]] std::vector<unique_fd> take_all() noexcept;

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static completion_action complete(op& o, const completion& c) noexcept;
    static const op_kind kind_;
    static const op_kind one_by_one_;
    struct arrival {
        unique_fd socket;
        sockaddr_in6 peer;
    };

    // The kernel may accept as many as completions fit in one turn before a reader takes them.
    std::vector<arrival> accepted_;
    std::size_t next_ = 0;
    int error_ = 0;
    sockaddr_in6 arriving_{};  // written by an attempt
    sockaddr_in6 peer_{};
};

}  // namespace sluice::io
