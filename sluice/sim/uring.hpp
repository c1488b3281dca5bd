// io_uring of the simulated kernel: a ring with its requests in flight.
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "sluice/sim/description.hpp"
#include "sluice/sim/scheduler.hpp"
#include "sluice/sim/uring_buffers.hpp"
#include "sluice/sim/uring_memory.hpp"
#include "sluice/sim/uring_request.hpp"

namespace sluice::sim {

class simulated_kernel;

/// A ring with IORING_SETUP_DEFER_TASKRUN: an operation that had to wait goes on, and its
/// completion is posted, only when the thread that made the ring asks for completions. Operations
/// that need not wait complete in the call that submits them, or later: the seed says which, in
/// which order completions are posted, and which of them is a cancel too late for.
class uring final : public description, public std::enable_shared_from_this<uring> {
 public:
    uring(simulated_kernel& k, const fiber& owner, std::unique_ptr<uring_memory> memory)
        : description{kind::ring, O_RDWR}, kernel_{k}, owner_{owner}, memory_{std::move(memory)} {}
    ~uring() override { hang_up(); }

    [[nodiscard]] uring_memory& memory() noexcept { return *memory_; }
    [[nodiscard]] uring_buffers& buffers() noexcept { return buffers_; }
    /// True for the thread that made it (IORING_SETUP_SINGLE_ISSUER).
    [[nodiscard]] bool belongs_to(const fiber* f) const noexcept { return f == &owner_; }

    /// @name io_uring_enter(2), in a call of the thread that made it
    /// @{
    /// Why no entry is taken now; 0. One that was refused for that is followed by others until the
    /// program `asks` for completions.
    [[nodiscard]] int refusal(bool asks);
    /// Starts `count` entries at most; how many there were.
    int submit(unsigned count);
    /// Posts the completions that are due. With `awaited`, waits until one is posted: 0, -EINTR, or
    /// -ETIME at `until`.
    int get_events(bool awaited, virtual_time until);
    /// @}

    /// `r` goes on when the program asks for completions.
    void make_due(uring_request& r);
    /// Its program ended: forgets all requests.
    void hang_up() noexcept override;
    [[nodiscard]] short poll() noexcept override {
        return !due_.empty() || memory_->completed() > 0 ? POLLIN : 0;
    }
    [[nodiscard]] bool pollable() const noexcept override { return true; }

 private:
    using outcome = uring_request::outcome;
    struct posting {
        std::uint64_t request = 0;
        std::uint64_t user_data = 0;
        outcome what;
    };
    /// Memory of a zero-copy send that the kernel still reads.
    struct notification {
        std::uint64_t user_data = 0;
        lent_memory lent;
    };

    /// @name Requests and completions (uring.cpp)
    /// @{
    void start(const io_uring_sqe& entry);
    void advance(uring_request& r);
    void wait(uring_request& r);
    void run_due();
    void complete(const uring_request& r, outcome o);
    void finish(uring_request& r, outcome o);
    void hand_to_thread(uring_request& r, virtual_time in);
    void end_on_thread(uring_request& r);
    void notify_later(const uring_request& r);
    void post_completions(bool flushes);
    void shuffle_completions();
    [[nodiscard]] bool is_crowded() const noexcept;
    void record(const char* what, std::initializer_list<std::int64_t> arguments, int result) const;
    /// @}

    /// @name Cancels (uring_cancel.cpp)
    /// @{
    int cancel(const uring_request& by);
    int cancel_one(uring_request& r);
    /// The completion of an operation that was cancelled: of its part that was done.
    [[nodiscard]] static outcome cancelled(const uring_request& r, int error) noexcept;
    /// @}

    /// @name Operations (uring_operations.cpp)
    /// An attempt without a completion has to wait: wanted() says for what.
    /// @{
    struct awaited_change {
        std::shared_ptr<description> of;
        short events = 0;
    };
    /// 0, or the error of an entry that cannot be attempted.
    [[nodiscard]] int prepare(uring_request& r);
    [[nodiscard]] int lend(uring_request& r) const;
    /// How long a kernel thread takes that does it; empty: none does.
    [[nodiscard]] std::optional<virtual_time> thread_time(const uring_request& r);
    [[nodiscard]] std::optional<outcome> attempt(uring_request& r);
    [[nodiscard]] std::optional<outcome> accept(uring_request& r);
    [[nodiscard]] static std::optional<outcome> connect(uring_request& r);
    [[nodiscard]] std::optional<outcome> receive(uring_request& r);
    [[nodiscard]] std::optional<outcome> receive_provided(uring_request& r);
    [[nodiscard]] std::optional<outcome> send(uring_request& r);
    [[nodiscard]] std::optional<outcome> read_or_write(uring_request& r);
    [[nodiscard]] std::optional<outcome> splice(uring_request& r);
    [[nodiscard]] outcome sync(const uring_request& r);
    /// What a completion says instead of waiting; empty: it waits.
    [[nodiscard]] std::optional<outcome> not_now(const uring_request& r);
    [[nodiscard]] static awaited_change wanted(const uring_request& r);
    /// @}

    simulated_kernel& kernel_;
    const fiber& owner_;
    std::unique_ptr<uring_memory> memory_;
    uring_buffers buffers_;
    std::map<std::uint64_t, uring_request> requests_;      // by number
    std::map<std::uint64_t, notification> notifications_;  // by the number of their requests
    std::uint64_t last_number_ = 0;
    bool busy_ = false;               // takes no entries before it has posted completions
    std::vector<std::uint64_t> due_;  // requests, and notifications of those that are over
    std::vector<posting> done_;
    std::deque<posting> overflow_;  // found the queue full
};

}  // namespace sluice::sim
