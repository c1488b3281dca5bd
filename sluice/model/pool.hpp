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
#include "sluice/base/intrusive_list.hpp"
#include "sluice/io/epoll.hpp"
#include "sluice/io/slot_table.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/model/model.hpp"

namespace sluice::model {

/// Home accepts. Each session has an engine of its own (io::session_engine), which any thread can
/// run. When a session waits for its client, to receive or to send, what it waits for stands in one
/// epoll instance, and the thread is free: a free thread runs the session that has waited longest
/// of those that can go on. So many clients share few threads, request by request, a client that
/// stalls holds none of them, and one that is always ready takes turns with the others. The
/// earliest deadline of all sessions is one timer in the same instance (timerfd_create(2)).
class pool final : public server {
 public:
    pool(io::engine& home, std::vector<entrance> entrances, options o);
    ~pool() override;

 private:
    struct parked;
    struct session_tag;
    class session;
    class worker;

    coro::task<result<void>> serve() override;
    void pass_on(stage now) noexcept override;

    [[nodiscard]] result<void> open();
    [[nodiscard]] result<void> start_workers();
    [[nodiscard]] result<void> begin(arrival client);
    /// Waits for the next session to be run; nullptr when there is none and will be none.
    [[nodiscard]] session* next() noexcept;
    [[nodiscard]] session* claim(std::uint64_t number) noexcept;
    [[nodiscard]] session* claim_late() noexcept;
    [[nodiscard]] session* claim_untold() noexcept;
    /// False if it is to be run on: it has not been told of a stop, or waits for nothing.
    [[nodiscard]] bool park(session& s, bool can_go_on) noexcept;
    /// Any thread: a session that is parked is run soon.
    void wake(session& s) noexcept;
    void leave(session& s) noexcept;
    // Under the lock.
    [[nodiscard]] bool take_up(session& s) noexcept;
    void wait_until(session& s, io::time_point when) noexcept;
    void set_alarm(io::time_point when) noexcept;
    void close_if_empty() noexcept;
    void ring() noexcept;

    std::optional<io::slot_table> slots_;
    std::optional<io::epoll> events_;
    unique_fd bell_;
    unique_fd alarm_;
    std::mutex mutex_;
    intrusive_heap<parked> hurried_;       // of those that are parked those with a deadline
    io::time_point alarm_at_ = io::never;  // never later than the first of them would have it
    std::unordered_map<std::uint64_t, std::unique_ptr<session>> sessions_;
    intrusive_list<session, session_tag> told_;    // all but those in untold_
    intrusive_list<session, session_tag> untold_;  // not told yet how far the stop has come
    std::uint64_t next_number_ = 1;
    bool closed_ = false;  // no session is left, and none will come
    std::atomic<stage> shown_stage_ = stage::serving;
    std::list<worker> workers_;
};

}  // namespace sluice::model
