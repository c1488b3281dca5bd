// One thread that is in no hurry.
#include "sluice/files/server/digest_later.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "sluice/files/digest.hpp"
#include "sluice/os/quiet_thread.hpp"

namespace sluice::files {
namespace {

constexpr std::size_t most_waiting = 1000;
// Between two looks whether it is to stop: about half a millisecond.
constexpr std::uint64_t step_size = std::uint64_t{1} << 20;

}  // namespace

digest_later::~digest_later() {
    stopping_ = true;
    {
        const std::lock_guard lock{mutex_};
        news_.notify_all();
    }
    if (worker_) worker_->join();
}

void digest_later::add(int file) noexcept try {
    unique_fd ours{::fcntl(file, F_DUPFD_CLOEXEC, 0)};
    if (!ours) return;
    const std::lock_guard lock{mutex_};
    if (files_.size() >= most_waiting) return;
    if (!worker_ && !start_quietly(worker_, [this] { work(); })) return;
    files_.push_back(std::move(ours));
    news_.notify_one();
} catch (const std::bad_alloc&) {
    return;  // made when it is asked for
}

void digest_later::work() noexcept {
    let_others_go_first();
    std::unique_lock lock{mutex_};
    for (;;) {
        news_.wait(lock, [this] { return stopping_ || !files_.empty(); });
        if (stopping_) return;
        const unique_fd next = std::move(files_.front());
        files_.pop_front();
        lock.unlock();
        keep_digest_of(next.get());
        lock.lock();
    }
}

void digest_later::keep_digest_of(int file) const noexcept try {
    struct stat before{};
    if (::fstat(file, &before) < 0) return;
    running_digest digest;
    for (const auto size = static_cast<std::uint64_t>(before.st_size); digest.place() < size;) {
        const auto at = digest.place();
        const auto read = digest.go_to(file, std::min(size, at + step_size));
        if (stopping_ || !read || digest.place() == at) return;
    }
    if (const auto value = digest.finish()) keep_digest(file, before, *value);
} catch (const std::bad_alloc&) {
    return;
}

}  // namespace sluice::files
