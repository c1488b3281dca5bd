// Threads that read what others write.
#include "sluice/service/files/digest_later.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <system_error>
#include <utility>

namespace sluice::service::files {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_waiting = 1000;
// Between two looks whether it is to stop: about half a millisecond.
constexpr std::uint64_t piece = std::uint64_t{1} << 20;
// While nothing has come.
constexpr auto pause = 1ms;

/// Signals belong to the threads that wait for them: one started here gets none.
template <class F>
bool start_thread(std::optional<std::thread>& into, F f) noexcept {
    sigset_t all{};
    sigset_t before{};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        into.emplace(std::move(f));
    } catch (const std::system_error&) {
        into.reset();
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return into.has_value();
}

}  // namespace

digest_later::~digest_later() {
    stopping_ = true;
    {
        const std::lock_guard lock{mutex_};
        news_.notify_all();
    }
    if (worker_) worker_->join();
}

void digest_later::add(int file) noexcept {
    unique_fd ours{::fcntl(file, F_DUPFD_CLOEXEC, 0)};
    if (!ours) return;
    const std::lock_guard lock{mutex_};
    if (files_.size() >= most_waiting) return;
    if (!worker_ && !start_thread(worker_, [this] { work(); })) return;
    files_.push_back(std::move(ours));
    news_.notify_one();
}

void digest_later::work() noexcept {
    // Nobody waits for it, so everybody else goes first (sched(7), SCHED_IDLE).
    const sched_param none{};
    ::sched_setscheduler(0, SCHED_IDLE, &none);
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

void digest_later::keep_digest_of(int file) const {
    struct stat before{};
    if (::fstat(file, &before) < 0) return;
    running_digest digest;
    for (const auto size = static_cast<std::uint64_t>(before.st_size); digest.place() < size;) {
        const auto at = digest.place();
        const auto read = digest.go_to(file, std::min(size, at + piece));
        if (stopping_ || !read || digest.place() == at) return;
    }
    if (const auto value = digest.finish()) keep_digest(file, before, *value);
}

digest_follower::digest_follower(int file, std::uint64_t base, const transfer::moved& told)
    : file_{file}, base_{base}, told_{told} {}

digest_follower::~digest_follower() {
    stop();
}

void digest_follower::start() noexcept {
    static_cast<void>(start_thread(thread_, [this] { follow(); }));
}

void digest_follower::stop() noexcept {
    stopping_ = true;
    if (thread_) thread_->join();
    thread_.reset();
}

void digest_follower::follow() noexcept {
    while (!stopping_ && so_far_) {
        const auto there = base_ + told_.bytes();
        if (digest_.place() < there) {
            so_far_ = digest_.go_to(file_, std::min(there, digest_.place() + piece));
        } else {
            std::this_thread::sleep_for(pause);
        }
    }
}

result<wire::sha256_value> digest_follower::finish(std::uint64_t size) {
    stop();
    if (so_far_) so_far_ = digest_.go_to(file_, size);
    if (!so_far_) return failure(so_far_.error());
    return digest_.finish();
}

}  // namespace sluice::service::files
