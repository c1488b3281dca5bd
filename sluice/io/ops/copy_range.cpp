// Implements copy_range over copy_file_range(2); attempted only, as io_uring has no entry for it.
#include "sluice/io/ops/copy_range.hpp"

#include <algorithm>

#include "sluice/os/kernel.hpp"

namespace sluice::io {

const op_kind copy_range::kind_{.attempt = &attempt};

int copy_range::attempt(op& o) noexcept {
    auto& self = static_cast<copy_range&>(o);
    auto source = static_cast<off_t>(self.offset_);
    auto target = source;
    const auto n = os::sys().copy_file_range(o.fd(), &source, self.to_, &target,
                                             std::min(self.length_, max_per_call));
    return static_cast<int>(n);
}

}  // namespace sluice::io
