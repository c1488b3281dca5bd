// Descriptor table of a simulated process: numbers, and the descriptions they refer to.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "sluice/sim/description.hpp"

namespace sluice::sim {

/// A new descriptor has the lowest free number (open(2)).
class descriptor_table {
 public:
    /// As RLIMIT_NOFILE: numbers are below `limit`.
    explicit descriptor_table(std::size_t limit) : limit_{limit} {}

    /// The new number, at least `from`; -EMFILE.
    [[nodiscard]] int add(std::shared_ptr<description> d, bool close_on_exec, int from = 0) {
        auto fd = static_cast<std::size_t>(from);
        while (fd < entries_.size() && entries_[fd].refers_to != nullptr) ++fd;
        if (fd >= limit_) return -EMFILE;
        if (fd >= entries_.size()) entries_.resize(fd + 1);
        entries_[fd] = {std::move(d), close_on_exec};
        return static_cast<int>(fd);
    }
    /// Puts `d` at `fd`, and returns what was there (dup2(2)).
    std::shared_ptr<description> put(int fd, std::shared_ptr<description> d) {
        const auto at = static_cast<std::size_t>(fd);
        if (at >= entries_.size()) entries_.resize(at + 1);
        return std::exchange(entries_[at], {std::move(d), false}).refers_to;
    }
    /// Takes `fd` out: the caller's end of the pointer is the end of the descriptor. Empty: EBADF.
    [[nodiscard]] std::shared_ptr<description> take(int fd) noexcept {
        if (!knows(fd)) return nullptr;
        return std::exchange(entries_[static_cast<std::size_t>(fd)], {}).refers_to;
    }
    /// nullptr: EBADF.
    [[nodiscard]] std::shared_ptr<description> find(int fd) const noexcept {
        return knows(fd) ? entries_[static_cast<std::size_t>(fd)].refers_to : nullptr;
    }
    /// True if one of its descriptors refers to `d`.
    [[nodiscard]] bool refers_to(const description& d) const noexcept {
        return std::ranges::find(entries_, &d, [](const entry& e) { return e.refers_to.get(); }) !=
               entries_.end();
    }
    /// The close-on-exec flag of a descriptor that is there.
    [[nodiscard]] bool& close_on_exec(int fd) noexcept {
        return entries_[static_cast<std::size_t>(fd)].close_on_exec;
    }
    /// One more than the highest number that was ever used.
    [[nodiscard]] int end() const noexcept { return static_cast<int>(entries_.size()); }
    /// Numbers are below this (RLIMIT_NOFILE).
    [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
    void set_limit(std::size_t limit) noexcept { limit_ = limit; }

 private:
    struct entry {
        std::shared_ptr<description> refers_to;
        bool close_on_exec = false;
    };
    [[nodiscard]] bool knows(int fd) const noexcept {
        return fd >= 0 && static_cast<std::size_t>(fd) < entries_.size();
    }

    std::size_t limit_;
    std::vector<entry> entries_;
};

}  // namespace sluice::sim
