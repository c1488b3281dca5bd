// Implements read_shared and write_shared: poll(2), then read(2) or write(2).
#include "sluice/io/ops/shared_file.hpp"

#include <algorithm>
#include <climits>

#include "sluice/io/ops/poll.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::io {

const op_kind read_shared::kind_{.want = interest::in, .attempt = &attempt};

int read_shared::attempt(op& o) noexcept {
    auto& self = static_cast<read_shared&>(o);
    if (const int ready = poll::poll_now(o.fd(), interest::in); ready < 0) return ready;
    return static_cast<int>(os::sys().read(o.fd(), self.memory_));
}

const op_kind write_shared::kind_{
    .want = interest::out, .attempt = &attempt, .complete = &complete};

int write_shared::attempt(op& o) noexcept {
    auto& self = static_cast<write_shared&>(o);
    if (const int ready = poll::poll_now(o.fd(), interest::out); ready < 0) return ready;
    const auto data = self.data_.first(std::min<std::size_t>(self.data_.size(), PIPE_BUF));
    return static_cast<int>(os::sys().write(o.fd(), data));
}

completion_action write_shared::complete(op& o, const completion& c) noexcept {
    auto& self = static_cast<write_shared&>(o);
    self.set_raw_result(c.result);
    if (c.result < 0) return completion_action::done;
    self.data_ = self.data_.subspan(static_cast<std::size_t>(c.result));
    return self.data_.empty() ? completion_action::done : completion_action::again;
}

result<std::size_t> write_shared::await_resume() noexcept {
    if (raw_result() < 0) return failure(error_of(raw_result()));
    return length_;
}

}  // namespace sluice::io
