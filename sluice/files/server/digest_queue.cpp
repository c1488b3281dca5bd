// Implements the digest queue on one low-priority thread.
#include "sluice/files/server/digest_queue.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

#include "sluice/files/digest.hpp"

namespace sluice::files {
namespace {

constexpr std::size_t max_queued = 1000;
// Bytes between two checks of stopping_: about half a millisecond.
constexpr std::uint64_t step_size = std::uint64_t{1} << 20;

}  // namespace

digest_queue::~digest_queue() {
    stopping_ = true;
    {
        const std::lock_guard lock{mutex_};
        wakeup_.notify_all();
    }
    worker_.join();
}

void digest_queue::add(int file) noexcept try {
    unique_fd copy{os::sys().fcntl(file, F_DUPFD_CLOEXEC, 0)};
    if (!copy) return;
    const std::lock_guard lock{mutex_};
    if (files_.size() >= max_queued) return;
    if (!worker_.started() && !worker_.start([this]() noexcept { work(); })) return;
    files_.push_back(std::move(copy));
    wakeup_.notify_one();
} catch (const std::bad_alloc&) {
    return;  // digested when a client asks for it
}

void digest_queue::work() noexcept {
    os::set_idle_priority();
    std::unique_lock lock{mutex_};
    for (;;) {
        wakeup_.wait(lock, [this] { return stopping_ || !files_.empty(); });
        if (stopping_) return;
        const unique_fd next = std::move(files_.front());
        files_.pop_front();
        lock.unlock();
        keep_digest_of(next.get());
        lock.lock();
    }
}

void digest_queue::keep_digest_of(int file) const noexcept try {
    struct stat before{};
    if (os::sys().fstat(file, before) < 0) return;
    running_digest digest;
    for (const auto size = static_cast<std::uint64_t>(before.st_size); digest.place() < size;) {
        const auto at = digest.place();
        const auto read = digest.go_to(file, std::min(size, at + step_size));
        if (stopping_ || !read || digest.place() == at) return;
    }
    keep_digest(file, before, digest.finish());
} catch (const std::bad_alloc&) {
    return;
}

}  // namespace sluice::files
