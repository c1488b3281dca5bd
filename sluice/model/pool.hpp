// The pool model: a fixed number of threads, each request to the next that is free.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "sluice/base/fd.hpp"
#include "sluice/base/intrusive_heap.hpp"
#include "sluice/io/epoll.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/model/model.hpp"

namespace sluice::model {

/// Home accepts. Clients who say nothing wait in one room, an epoll set, where they cost no thread;
/// a free thread takes the one that has waited longest with something to read, serves it until it
/// would wait for the client again (guest::turn), and leaves it in the room. So many clients share
/// few threads, request by request, and none of them starves. One whose time is up is taken, too:
/// one timer in the room (timerfd_create(2)) stands for all who wait.
class pool final : public server {
 public:
    pool(io::engine& home, std::vector<entrance> entrances, options o);
    ~pool() override;

 private:
    struct stay;
    class seat;
    class worker;

    coro::task<result<void>> serve() override;
    void pass_on(stage now) noexcept override;

    [[nodiscard]] result<void> open_room() noexcept;
    [[nodiscard]] result<void> start_workers();
    [[nodiscard]] result<void> seat_down(arrival client);
    /// Waits for the next client to be served; nullptr when there is none and will be none.
    [[nodiscard]] seat* next() noexcept;
    [[nodiscard]] seat* claim(std::uint64_t number) noexcept;
    [[nodiscard]] seat* claim_late() noexcept;
    [[nodiscard]] seat* claim_any() noexcept;
    // Under the lock.
    [[nodiscard]] bool take_up(seat& s) noexcept;
    void set_alarm(io::time_point when) noexcept;
    /// False if draining has begun: nobody waits in the room any more.
    [[nodiscard]] bool park(seat& s) noexcept;
    void leave(seat& s) noexcept;

    std::optional<io::epoll> room_;
    unique_fd bell_;
    unique_fd alarm_;
    std::mutex mutex_;
    intrusive_heap<stay> hurried_;         // of those in the room who do not wait for ever
    io::time_point alarm_at_ = io::never;  // never later than the first of them would have it
    std::unordered_map<std::uint64_t, std::unique_ptr<seat>> seats_;
    std::uint64_t next_number_ = 1;
    std::atomic<stage> shown_stage_ = stage::serving;
    std::list<worker> workers_;
};

}  // namespace sluice::model
