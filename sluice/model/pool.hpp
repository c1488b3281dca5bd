// The pool model: a fixed number of threads, each request to the next free one.
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
#include "sluice/base/intrusive_list.hpp"
#include "sluice/io/epoll.hpp"
#include "sluice/io/slot_table.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/model/model.hpp"

namespace sluice::model {

/// The server accepts. Each session has its own engine (io::session_engine), which any thread can
/// run. When a session waits for its client, to receive or to send, its descriptor is registered
/// with one epoll instance, and the thread is free: a free thread runs the ready session that has
/// waited longest. So many clients share few threads, request by request; a client that stalls
/// holds none of them, and one that is always ready takes turns with the others. The earliest
/// deadline of all sessions is one timer in the same instance (timerfd_create(2)).
class pool final : public server {
 public:
    pool(io::engine& engine, std::vector<endpoint> endpoints, server_options o);
    ~pool() override;

 private:
    struct parked;
    struct runnable_tag;
    class runnable;
    class worker;

    coro::task<result<void>> serve() override;
    void pass_on(stage now) noexcept override;

    [[nodiscard]] result<void> open();
    [[nodiscard]] result<void> start_workers();
    [[nodiscard]] result<void> begin(arrival client);
    /// Waits for the next session to be run; nullptr when there is none and will be none.
    [[nodiscard]] runnable* next() noexcept;
    [[nodiscard]] runnable* claim(std::uint64_t number) noexcept;
    [[nodiscard]] runnable* claim_late() noexcept;
    [[nodiscard]] runnable* claim_not_notified() noexcept;
    /// False if it is to be run on: it does not know the stage of the stop, or waits for nothing.
    [[nodiscard]] bool park(runnable& s, bool can_go_on) noexcept;
    /// Any thread: makes a parked session run soon.
    void wake(runnable& s) noexcept;
    void finish(runnable& s) noexcept;
    // Under the lock.
    [[nodiscard]] bool unpark(runnable& s) noexcept;
    void wait_until(runnable& s, io::time_point when) noexcept;
    void set_timer(io::time_point when) noexcept;
    void close_if_empty() noexcept;
    void wake_workers() noexcept;

    std::optional<io::slot_table> slots_;
    std::optional<io::epoll> events_;
    unique_fd wakeup_;
    unique_fd timer_fd_;
    std::mutex mutex_;
    intrusive_heap<parked> deadlines_;           // parked sessions with a deadline
    io::time_point timer_deadline_ = io::never;  // never later than the first deadline
    std::unordered_map<std::uint64_t, std::unique_ptr<runnable>> runnables_;
    intrusive_list<runnable, runnable_tag> notified_;      // all but those in not_notified_
    intrusive_list<runnable, runnable_tag> not_notified_;  // do not know the stage of the stop yet
    std::uint64_t next_number_ = 1;
    bool closed_ = false;  // no session is left, and none will come
    std::atomic<stage> published_stage_ = stage::serving;
    std::list<worker> workers_;
};

}  // namespace sluice::model
