// Request of a simulated ring: one operation in flight.
#pragma once

#include <liburing.h>
#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "sluice/sim/description.hpp"
#include "sluice/sim/endpoint.hpp"
#include "sluice/sim/lent_memory.hpp"
#include "sluice/sim/wait_queue.hpp"

namespace sluice::sim {

class uring;

/// An entry of the submission queue, from its submission to its last completion. Closing its
/// descriptors does not affect it.
struct uring_request final : watcher {
    enum class state : std::uint8_t {
        waits,   ///< for a change of a description
        due,     ///< its turn comes when the program asks for completions
        thread,  ///< a kernel thread does it
    };
    /// What a completion says.
    struct outcome {
        int result = 0;
        unsigned flags = 0;  ///< IORING_CQE_F_*
    };

    uring_request(uring& ring, std::uint64_t its_number, const io_uring_sqe& what)
        : home{ring}, number{its_number}, copy{std::make_unique<const io_uring_sqe>(what)} {}
    uring_request(const uring_request&) = delete;
    uring_request& operator=(const uring_request&) = delete;
    ~uring_request() { stop_waiting(); }

    void on_change(short events) noexcept override;
    /// Becomes due at a change of `of`.
    void wait(std::shared_ptr<description> of, short events) {
        stop_waiting();
        now = state::waits;
        waits_for = static_cast<short>(events | POLLERR | POLLHUP);
        waits_on = std::move(of);
        waits_on->watchers().add(*this);
    }
    void stop_waiting() noexcept {
        if (waits_on != nullptr) waits_on->watchers().remove(*this);
        waits_on = nullptr;
    }

    [[nodiscard]] bool selects_buffer() const noexcept {
        return (entry.flags & IOSQE_BUFFER_SELECT) != 0;
    }
    /// True if it completes many times.
    [[nodiscard]] bool is_multishot() const noexcept {
        switch (entry.opcode) {
            case IORING_OP_ACCEPT: return (entry.ioprio & IORING_ACCEPT_MULTISHOT) != 0;
            case IORING_OP_RECV: return (entry.ioprio & IORING_RECV_MULTISHOT) != 0;
            case IORING_OP_POLL_ADD: return (entry.len & IORING_POLL_ADD_MULTI) != 0;
            default: return false;
        }
    }

    uring& home;
    std::uint64_t number;  ///< in the order of submission
    // A copy on its own: its last member is an array without a size.
    std::unique_ptr<const io_uring_sqe> copy;
    const io_uring_sqe& entry = *copy;
    std::shared_ptr<description> on;      ///< its descriptor's
    std::shared_ptr<description> source;  ///< of a splice
    std::optional<endpoint> address;      ///< of a connect
    lent_memory lent;
    std::size_t done = 0;  ///< bytes that were moved so far
    state now = state::due;
    std::optional<outcome> ended;  ///< a kernel thread has done it
    bool interrupted = false;      ///< a cancel came while a kernel thread had it
    std::shared_ptr<description> waits_on;
    short waits_for = 0;
};

}  // namespace sluice::sim
