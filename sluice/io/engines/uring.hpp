// io_uring engine: submits operations to the kernel and waits for their completions.
#pragma once

#include <cstdint>
#include <memory>

#include "sluice/io/engine.hpp"
#include "sluice/io/engines/ring.hpp"
#include "sluice/os/wakeup.hpp"

namespace sluice::io {

/// A turn is one system call: it submits the prepared entries and waits for completions
/// (io_uring_enter(2)). The thread that uses the ring makes it, and the kernel processes
/// completions only when that thread asks (IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_DEFER_TASKRUN).
///
/// An operation is over when all of its completions have come: its own, and that of a cancel that
/// was sent for it. So neither its memory nor its address can be reused too early. The notification
/// of a zero-copy send belongs to the buffer (registered_pool), not to the operation: it comes when
/// the peer has read, and a deadline could not end that.
class uring_engine final : public engine {
 public:
    [[nodiscard]] static result<std::unique_ptr<engine>> create(const engine_options& o);
    ~uring_engine() override;

    [[nodiscard]] engine_kind which() const noexcept override { return engine_kind::uring; }
    [[nodiscard]] registered_pool* registered() noexcept override { return &registered_; }
    void wake() noexcept override;

 private:
    explicit uring_engine(const engine_options& o);
    result<void> set_up(const engine_options& o) noexcept;
    result<void> register_buffers() noexcept;

    bool start(op& o) noexcept override;
    bool start_queued(op& o) noexcept override { return start(o); }
    void withdraw(op& o) noexcept override;
    void wait(time_point until) noexcept override;
    void on_detach(int fd, fd_slot& slot) noexcept override;
    [[nodiscard]] bool has_all_completions() const noexcept override { return ring_.is_drained(); }

    io_uring_sqe* free_entry() noexcept;
    bool attempt_or_poll(op& o) noexcept;
    void hand_over(op& o) noexcept;
    void fill(op& o, io_uring_sqe& entry) noexcept;
    [[nodiscard]] static std::uint64_t submitted_data(const op& o) noexcept;
    void poll_for(op& o) noexcept;
    void watch_wakeup() noexcept;
    void flush_waiting() noexcept;
    void send_cancels() noexcept;
    bool send_cancel(op& o) noexcept;
    void take_in(const io_uring_cqe& cqe) noexcept;
    void own_completion(op& o, int result, unsigned flags) noexcept;
    void registered_completion(int buffer, const io_uring_cqe& cqe) noexcept;
    op::step next_step(op& o, const completion& c) noexcept;
    void poll_completion(op& o, int result) noexcept;
    void notify_reader(op& o) noexcept;
    void finish_if_complete(op& o) noexcept;

    ring ring_;
    os::wakeup wakeup_;
    bool wakeup_watched_ = false;
    mapping buffer_ring_;
    registered_pool registered_;
    coro::resumable_list waiting_;    // operations for which the submission queue had no entry
    std::size_t unsent_cancels_ = 0;  // cancels likewise, each marked in its operation
};

}  // namespace sluice::io
