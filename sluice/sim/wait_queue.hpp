// Wait queue: who is told when the readiness of a simulated kernel object changes.
#pragma once

#include <algorithm>
#include <vector>

namespace sluice::sim {

/// Is told of changes of an object: a fiber that waits in a call, or an entry of an epoll.
class watcher {
 public:
    /// `events` (poll(2)) may have become true. Whether they are, only a look at the object says.
    virtual void on_change(short events) noexcept = 0;
    /// The object ends. It may destroy the watcher.
    virtual void on_end() noexcept {}

 protected:
    watcher() = default;
    watcher(const watcher&) = default;
    watcher& operator=(const watcher&) = default;
    ~watcher() = default;
};

/// The watchers of one object, in the order in which they came.
class wait_queue {
 public:
    wait_queue() noexcept = default;
    wait_queue(const wait_queue&) = delete;
    wait_queue& operator=(const wait_queue&) = delete;
    ~wait_queue() {
        while (!watchers_.empty()) {
            watcher* last = watchers_.back();
            watchers_.pop_back();
            last->on_end();
        }
    }

    void add(watcher& w) { watchers_.push_back(&w); }
    void remove(watcher& w) noexcept { std::erase(watchers_, &w); }
    /// Tells all of them. on_change() adds and removes no watcher.
    void notify(short events) const noexcept {
        for (watcher* w : watchers_) w->on_change(events);
    }
    [[nodiscard]] bool empty() const noexcept { return watchers_.empty(); }

 private:
    std::vector<watcher*> watchers_;
};

}  // namespace sluice::sim
