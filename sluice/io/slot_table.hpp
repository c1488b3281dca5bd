// Table of descriptor slots: operations and readiness per descriptor.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "sluice/os/kernel.hpp"
#include "sluice/os/mapping.hpp"

namespace sluice::io {

class op;

/// One descriptor's operations and readiness, while it is attached to an engine.
struct fd_slot {
    op* in = nullptr;
    op* out = nullptr;
    std::uint16_t generation = 0;
    bool attached = false;
    bool registered = false;  // with epoll
    bool readable = false;    // no EAGAIN since the last readiness event
    bool writable = false;
    bool short_is_ambiguous = false;  // a short read or write does not mean EAGAIN next
    bool idle_awaited = false;
};

/// Indexed by descriptor. Untouched pages of it cost nothing. Engines of several threads may share
/// a table, since a descriptor is attached to one of them at a time.
class slot_table {
 public:
    /// Throws std::bad_alloc.
    slot_table() : memory_{map_or_throw()}, size_{memory_.size() / sizeof(fd_slot)} {}

    [[nodiscard]] fd_slot* data() const noexcept { return static_cast<fd_slot*>(memory_.data()); }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
    static std::size_t descriptors_possible() noexcept {
        constexpr std::size_t most = std::size_t{1} << 22;
        rlimit limit{};
        if (os::sys().getrlimit(RLIMIT_NOFILE, limit) != 0) return most;
        // A process may raise its own soft limit later, up to the hard one.
        return std::min<std::size_t>(limit.rlim_max, most);
    }
    static mapping map_or_throw() {
        auto memory = mapping::create(descriptors_possible() * sizeof(fd_slot));
        if (!memory) throw std::bad_alloc{};
        return std::move(*memory);
    }

    mapping memory_;
    std::size_t size_;
};

}  // namespace sluice::io
