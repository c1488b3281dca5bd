// Implements epoll_set: the ready list.
#include "sluice/sim/epoll_set.hpp"

#include <algorithm>

namespace sluice::sim {

epoll_set::~epoll_set() {
    for (auto& [where, e] : entries_) e.of->watchers().remove(e);
}

int epoll_set::control(int operation, int fd, description& of, const epoll_event* event) {
    const key where{fd, &of};
    const auto found = entries_.find(where);
    switch (operation) {
        case EPOLL_CTL_ADD: {
            if (found != entries_.end()) return -EEXIST;
            if (!of.pollable()) return -EPERM;
            entry& e = entries_[where];
            e.home = this;
            e.of = &of;
            e.where = where;
            e.wanted = *event;
            of.watchers().add(e);
            if (true_events(e) != 0) list(e);
            return 0;
        }
        case EPOLL_CTL_MOD:
            if (found == entries_.end()) return -ENOENT;
            found->second.wanted = *event;
            found->second.disarmed = false;
            if (true_events(found->second) != 0) list(found->second);
            return 0;
        case EPOLL_CTL_DEL:
            if (found == entries_.end()) return -ENOENT;
            of.watchers().remove(found->second);
            std::erase(ready_, &found->second);
            entries_.erase(found);
            return 0;
        default: return -EINVAL;
    }
}

int epoll_set::collect(std::span<epoll_event> events) {
    std::size_t n = 0;
    // Those that stay on the list come behind the others, so that each has its turn.
    for (std::size_t left = ready_.size(); left > 0 && n < events.size(); --left) {
        entry& e = *ready_.front();
        ready_.pop_front();
        e.listed = false;
        const std::uint32_t now = true_events(e);
        if (now == 0) continue;
        events[n] = e.wanted;
        events[n++].events = now;
        if ((e.wanted.events & EPOLLONESHOT) != 0) {
            e.disarmed = true;
        } else if ((e.wanted.events & EPOLLET) == 0) {
            e.listed = true;
            ready_.push_back(&e);
        }
    }
    if (n < events.size() && !entries_.empty() && random_.chance(faults_.spurious)) {
        const entry& e =
            std::next(entries_.begin(), static_cast<std::ptrdiff_t>(random_.below(entries_.size())))
                ->second;
        if (const std::uint32_t some = spurious_events(e); some != 0) {
            events[n] = e.wanted;
            events[n++].events = some;
        }
    }
    random_.shuffle(events.first(n));
    return static_cast<int>(n);
}

short epoll_set::poll() noexcept {
    const bool any =
        std::ranges::any_of(ready_, [](const entry* e) { return true_events(*e) != 0; });
    return any ? POLLIN : 0;
}

void epoll_set::list(entry& e) noexcept {
    if (!std::exchange(e.listed, true)) ready_.push_back(&e);
    // Also where it was on the list: a level-triggered entry stays there when it is not ready.
    watchers().notify(POLLIN);
}

std::uint32_t epoll_set::true_events(const entry& e) noexcept {
    if (e.disarmed) return 0;
    // Errors and ends are reported unasked. The numbers are those of poll(2).
    const std::uint32_t asked = e.wanted.events | EPOLLERR | EPOLLHUP;
    return static_cast<std::uint16_t>(e.of->poll()) & asked;
}

std::uint32_t epoll_set::spurious_events(const entry& e) const noexcept {
    if (e.disarmed || e.of->what() != kind::stream) return 0;
    return e.wanted.events & ((random_.bits() & 1U) != 0 ? EPOLLIN : EPOLLOUT);
}

void epoll_set::entry::on_change(short events) noexcept {
    const std::uint32_t asked = wanted.events | EPOLLERR | EPOLLHUP;
    if (disarmed || (static_cast<std::uint16_t>(events) & asked) == 0) return;
    home->list(*this);
}

void epoll_set::entry::on_end() noexcept {
    std::erase(home->ready_, this);
    const key mine = where;
    home->entries_.erase(mine);
}

}  // namespace sluice::sim
