// Request-reply load on io_uring: closed loops over kept connections, the cheapest load.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sluice/lab/load/exchange.hpp"
#include "sluice/lab/load/parts.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/mapping.hpp"

namespace sluice::lab {

/// One system call per turn, fixed files, multishot recv, and no completions for successful sends.
/// The kernel discards received bytes (MSG_TRUNC).
class uring_exchanger {
 public:
    /// Connects all clients. Null if the kernel does not support these io_uring features. Throws
    /// load_error. `o` must outlive the result.
    [[nodiscard]] static std::unique_ptr<uring_exchanger> make(const exchange_options& o);
    uring_exchanger(const uring_exchanger&) = delete;
    uring_exchanger& operator=(const uring_exchanger&) = delete;
    ~uring_exchanger();

    /// Sends `depth` requests on every connection.
    void start();
    /// Submits and reaps completions; whether there were any. Never waits.
    bool turn(load_clock::duration timeout);
    [[nodiscard]] std::uint64_t answered() const noexcept { return answered_; }
    /// Always 0: an error ends the load.
    [[nodiscard]] static std::uint64_t errors() noexcept { return 0; }

 private:
    struct client {
        unique_fd fd;
        std::size_t part = 0;     // bytes received of a partly received answer
        std::size_t sent_of = 0;  // bytes submitted of a partly submitted request
    };

    explicit uring_exchanger(const exchange_options& o);
    [[nodiscard]] bool open_ring();
    [[nodiscard]] bool open_buffers();
    [[nodiscard]] io_uring_buf_ring* buffers() const;
    io_uring_sqe& next();
    void arm(std::size_t index);
    void send_requests(std::size_t index, std::size_t messages);
    void complete(const io_uring_cqe& cqe);

    const exchange_options& options_;
    std::vector<client> clients_;
    std::string payload_;
    io_uring ring_{};
    bool open_ = false;
    mapping entries_;    // entries of the buffer ring
    mapping discarded_;  // memory that every buffer points to
    int used_ = 0;       // buffers consumed in this turn
    std::uint64_t answered_ = 0;
};

}  // namespace sluice::lab
