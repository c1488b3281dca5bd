// epoll(7) of the simulated kernel.
#pragma once

#include <sys/epoll.h>

#include <deque>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include "sluice/sim/description.hpp"
#include "sluice/sim/fault_rates.hpp"
#include "sluice/sim/random.hpp"

namespace sluice::sim {

/// As ep_poll_callback() and ep_send_events() of Linux: a change of a watched description puts its
/// entry on the ready list; collecting looks at what is on the list, reports what is true, and
/// keeps level-triggered entries on it.
class epoll_set final : public description {
 public:
    epoll_set(random& chance, const fault_rates& faults) noexcept
        : description{kind::epoll_set, O_RDWR}, random_{chance}, faults_{faults} {}
    ~epoll_set() override;

    /// epoll_ctl(2).
    [[nodiscard]] int control(int operation, int fd, description& of, const epoll_event* event);
    /// Fills `events` in an order drawn from the seed; how many there are. Some may be spurious: a
    /// socket is reported that is not ready.
    [[nodiscard]] int collect(std::span<epoll_event> events);
    [[nodiscard]] bool has_candidates() const noexcept { return !ready_.empty(); }

    [[nodiscard]] short poll() noexcept override;
    [[nodiscard]] bool pollable() const noexcept override { return true; }

 private:
    using key = std::pair<int, const description*>;  // found by both, gone through by none
    struct entry final : watcher {
        void on_change(short events) noexcept override;
        void on_end() noexcept override;

        epoll_set* home = nullptr;
        description* of = nullptr;
        key where;
        epoll_event wanted{};
        bool listed = false;
        bool disarmed = false;  // EPOLLONESHOT has fired
    };

    void list(entry& e) noexcept;
    [[nodiscard]] static std::uint32_t true_events(const entry& e) noexcept;
    [[nodiscard]] std::uint32_t spurious_events(const entry& e) const noexcept;

    random& random_;
    const fault_rates& faults_;
    std::map<key, entry> entries_;
    std::deque<entry*> ready_;
};

}  // namespace sluice::sim
