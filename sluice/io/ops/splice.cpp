// Implements splice over splice(2) and its io_uring counterpart.
#include "sluice/io/ops/splice.hpp"

#include <fcntl.h>
#include <liburing.h>

#include <algorithm>

#include "sluice/os/kernel.hpp"

namespace sluice::io {

const op_kind& splice::kind_of(waits_for side) noexcept {
    static constexpr op_kind for_source{.want = interest::in, .cost = 32, .attempt = &attempt};
    static constexpr op_kind for_target{.want = interest::out, .cost = 16, .attempt = &attempt};
    static constexpr op_kind for_neither{.attempt = &attempt_and_wait};
    static constexpr op_kind for_kernel{.attempt = &attempt_and_wait, .prepare = &prepare};
    switch (side) {
        case waits_for::source: return for_source;
        case waits_for::target: return for_target;
        case waits_for::none: return for_neither;
        case waits_for::kernel: break;
    }
    return for_kernel;
}

int splice::splice_once(unsigned flags) noexcept {
    loff_t from = source_offset_;
    loff_t to = target_offset_;
    const auto n = os::sys().splice(source_, source_offset_ == no_offset ? nullptr : &from, target_,
                                    target_offset_ == no_offset ? nullptr : &to,
                                    std::min(length_, max_per_call), flags | SPLICE_F_MOVE);
    return static_cast<int>(n);
}

int splice::attempt(op& o) noexcept {
    return static_cast<splice&>(o).splice_once(SPLICE_F_NONBLOCK);
}

int splice::attempt_and_wait(op& o) noexcept {
    return static_cast<splice&>(o).splice_once(0);
}

void splice::prepare(op& o, io_uring_sqe& entry) noexcept {
    auto& self = static_cast<splice&>(o);
    io_uring_prep_splice(
        &entry, self.source_, self.source_offset_, self.target_, self.target_offset_,
        static_cast<unsigned>(std::min(self.length_, max_per_call)), SPLICE_F_MOVE);
}

}  // namespace sluice::io
