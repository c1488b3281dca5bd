// Workers that take jobs from one queue.
#include "sluice/io/offload.hpp"

#include <pthread.h>

#include <csignal>
#include <exception>

#include "sluice/base/check.hpp"

namespace sluice::io {

offload_pool::offload_pool(options o) : options_{o} {
    check(o.workers > 0, "an offload pool needs a worker");
    workers_.reserve(o.workers);
    for (std::size_t i = 0; i < o.workers; ++i) {
        try {
            workers_.emplace_back([this] { work(); });
        } catch (const std::exception&) {  // std::system_error or std::bad_alloc
            if (workers_.empty()) throw;
            break;
        }
    }
}

offload_pool::~offload_pool() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    news_.notify_all();
    for (auto& worker : workers_) worker.join();
    check(jobs_.empty(), "an offload pool dies with jobs in its queue");
}

std::size_t offload_pool::queued() const noexcept {
    const std::lock_guard lock{mutex_};
    return queued_;
}

bool offload_pool::push(job& j) noexcept {
    {
        const std::lock_guard lock{mutex_};
        if (queued_ == options_.queue) return false;
        ++queued_;
        jobs_.push_back(j);
    }
    news_.notify_one();
    return true;
}

bool offload_pool::withdraw(job& j) noexcept {
    const std::lock_guard lock{mutex_};
    if (!j.linked()) return false;
    j.unlink();
    --queued_;
    return true;
}

void offload_pool::work() noexcept {
    // Signals belong to the threads that wait for them.
    sigset_t all{};
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    std::unique_lock lock{mutex_};
    for (;;) {
        news_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        job& next = jobs_.pop_front();
        --queued_;
        lock.unlock();
        next.work_(next);
        lock.lock();
    }
}

}  // namespace sluice::io
