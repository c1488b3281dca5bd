// Implements file operations over pread(2), pwrite(2), fsync(2) and their io_uring counterparts.
#include "sluice/io/ops/file.hpp"

#include <liburing.h>

#include <algorithm>
#include <cerrno>

#include "sluice/os/kernel.hpp"

namespace sluice::io {
namespace {

unsigned length_of(std::size_t size) noexcept {
    return static_cast<unsigned>(std::min(size, max_per_call));
}

}  // namespace

const op_kind read_at::kind_{.attempt = &attempt, .prepare = &prepare};

int read_at::attempt(op& o) noexcept {
    auto& self = static_cast<read_at&>(o);
    const auto memory = self.memory_.first(length_of(self.memory_.size()));
    return static_cast<int>(os::sys().pread(o.fd(), memory, self.offset_));
}

void read_at::prepare(op& o, io_uring_sqe& entry) noexcept {
    auto& self = static_cast<read_at&>(o);
    const unsigned length = length_of(self.memory_.size());
    if (self.registered_ >= 0) {
        io_uring_prep_read_fixed(&entry, o.fd(), self.memory_.data(), length, self.offset_,
                                 self.registered_);
    } else {
        io_uring_prep_read(&entry, o.fd(), self.memory_.data(), length, self.offset_);
    }
}

const op_kind write_all_at::kind_{.attempt = &attempt, .prepare = &prepare, .complete = &complete};

int write_all_at::attempt(op& o) noexcept {
    auto& self = static_cast<write_all_at&>(o);
    const auto data = self.data_.first(length_of(self.data_.size()));
    return static_cast<int>(os::sys().pwrite(o.fd(), data, self.offset_));
}

void write_all_at::prepare(op& o, io_uring_sqe& entry) noexcept {
    auto& self = static_cast<write_all_at&>(o);
    const unsigned length = length_of(self.data_.size());
    if (self.registered_ >= 0) {
        io_uring_prep_write_fixed(&entry, o.fd(), self.data_.data(), length, self.offset_,
                                  self.registered_);
    } else {
        io_uring_prep_write(&entry, o.fd(), self.data_.data(), length, self.offset_);
    }
}

completion_action write_all_at::complete(op& o, const completion& c) noexcept {
    auto& self = static_cast<write_all_at&>(o);
    // A device that takes nothing without an error would be retried for ever.
    self.set_raw_result(c.result == 0 ? -EIO : c.result);
    if (c.result <= 0) return completion_action::done;
    self.data_ = self.data_.subspan(static_cast<std::size_t>(c.result));
    self.offset_ += static_cast<std::uint64_t>(c.result);
    return self.data_.empty() ? completion_action::done : completion_action::again;
}

result<std::size_t> write_all_at::await_resume() noexcept {
    if (length_ > 0 && raw_result() < 0) return failure(error_of(raw_result()));
    return length_;
}

const op_kind sync_file::kind_{.attempt = &attempt, .prepare = &prepare};

int sync_file::attempt(op& o) noexcept {
    return os::sys().fsync(o.fd());
}

void sync_file::prepare(op& o, io_uring_sqe& entry) noexcept {
    io_uring_prep_fsync(&entry, o.fd(), 0);
}

result<void> sync_file::await_resume() noexcept {
    if (raw_result() < 0) return failure(error_of(raw_result()));
    return {};
}

}  // namespace sluice::io
