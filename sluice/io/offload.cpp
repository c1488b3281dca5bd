// Implements offload_pool: worker threads that take jobs from one queue.
#include "sluice/io/offload.hpp"

#include <cerrno>
#include <mutex>

#include "sluice/base/check.hpp"

namespace sluice::io {

offload_pool::offload_pool(options o) : options_{o} {
    check(o.workers > 0, "an offload pool needs a worker");
    workers_.reserve(o.workers);
}

offload_pool::~offload_pool() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    condition_.notify_all();
    for (auto& worker : workers_) worker.join();
    check(jobs_.empty(), "an offload pool is destroyed with jobs in its queue");
}

std::size_t offload_pool::queued() const noexcept {
    const std::lock_guard lock{mutex_};
    return queued_;
}

result<void> offload_pool::push(job& j) noexcept {
    {
        const std::lock_guard lock{mutex_};
        if (queued_ == options_.queue) return failure(fault::queue_full);
        if (queued_ >= idle_ && !start_worker() && workers_.empty()) return failure_of(EAGAIN);
        ++queued_;
        jobs_.push_back(j);
    }
    condition_.notify_one();
    return {};
}

/// False if all workers are running, or no thread can be started.
bool offload_pool::start_worker() noexcept {
    if (workers_.size() == options_.workers) return false;
    if (workers_.emplace_back().start([this] { work(); })) return true;
    workers_.pop_back();
    return false;
}

bool offload_pool::withdraw(job& j) noexcept {
    const std::lock_guard lock{mutex_};
    if (!j.linked()) return false;
    j.unlink();
    --queued_;
    return true;
}

void offload_pool::work() noexcept {
    std::unique_lock lock{mutex_};
    for (;;) {
        ++idle_;
        condition_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        --idle_;
        if (jobs_.empty()) return;
        job& next = jobs_.pop_front();
        --queued_;
        lock.unlock();
        next.work_(next);
        lock.lock();
    }
}

}  // namespace sluice::io
