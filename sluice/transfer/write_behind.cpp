// Implements write_behind with sync_file_range(2), off the engine's thread.
#include "sluice/transfer/write_behind.hpp"

#include <fcntl.h>

#include <cerrno>

#include "sluice/os/kernel.hpp"

namespace sluice::transfer {
namespace {

result<void> sync_range(int file, std::uint64_t from, std::uint64_t to, unsigned how) noexcept {
    int done = 0;
    do {
        done = os::sys().sync_file_range(file, from, to - from, how);
    } while (done == -EINTR);
    if (done < 0) return failure_of(-done);
    return {};
}

}  // namespace

result<void> write_behind::write(std::uint64_t end) noexcept {
    if (auto begun = sync_range(file_, begun_, end, SYNC_FILE_RANGE_WRITE); !begun) return begun;
    begun_ = end;
    if (end <= done_ + window) return {};
    if (auto done = sync_range(file_, done_, end - window, SYNC_FILE_RANGE_WAIT_BEFORE); !done) {
        return done;
    }
    done_ = end - window;
    return {};
}

coro::task<result<void>> write_behind::go_to(io::engine& engine, std::uint64_t end) {
    result<void> written;
    if (engine.works_in_place()) {
        written = write(end);
    } else if (workers_ == nullptr) {
        on_ = false;
    } else {
        written = co_await workers_->run(engine, [this, end] { return write(end); });
    }
    if (written) co_return written;
    const error why = written.error();
    if (why == fault::cancelled || why.is(EIO) || why.is(ENOSPC) || why.is(EDQUOT)) {
        co_return written;
    }
    // Some file systems lack the call: the sync at the end then does all the work.
    on_ = false;
    co_return result<void>{};
}

}  // namespace sluice::transfer
