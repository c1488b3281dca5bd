// Implements digest_pool: a worker digests a copy of the state, piece by piece.
#include "sluice/files/digest_pool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

#include "sluice/os/kernel.hpp"

namespace sluice::files {
namespace {

using namespace std::chrono_literals;

// Bytes per piece: about half a millisecond.
constexpr std::uint64_t piece_size = std::uint64_t{1} << 20;
// A worker takes a file once so many bytes wait in it.
constexpr std::uint64_t min_piece = std::uint64_t{128} << 10;
// Pause of a worker while no file grows; doubled each time.
constexpr auto shortest_pause = 1ms;
constexpr auto longest_pause = 32ms;
// More threads would only share the cores and the disk.
constexpr int max_workers = 4;
// Bytes between two checks of given_up_: a few milliseconds.
constexpr std::uint64_t stride = std::uint64_t{8} << 20;

std::size_t useful_workers() noexcept {
    cpu_set_t usable{};
    if (os::sys().sched_getaffinity(usable) < 0) return 1;
    return static_cast<std::size_t>(std::clamp(CPU_COUNT(&usable), 1, max_workers));
}

// Of a followed file: there is something for a worker to do.
constexpr auto has_piece = [](const auto& file) noexcept {
    return !file->busy && file->size() >= file->digest.place() + min_piece;
};

}  // namespace

digest_pool::~digest_pool() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        wakeup_.notify_all();
    }
    for (auto& each : workers_) each.join();
}

bool digest_pool::add(const std::shared_ptr<followed_file>& entry) noexcept try {
    const std::lock_guard lock{mutex_};
    if (workers_.size() < std::min(useful_workers(), files_.size() + 1)) {
        if (!workers_.emplace_back().start([this] { work(); })) workers_.pop_back();
    }
    files_.push_back(entry);
    wakeup_.notify_one();
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

void digest_pool::withdraw(followed_file& entry) noexcept {
    const std::lock_guard lock{mutex_};
    entry.withdrawn = true;
    drop(entry);
}

void digest_pool::drop(const followed_file& entry) noexcept {
    std::erase_if(files_, [&entry](const auto& each) { return each.get() == &entry; });
}

// Round robin: the file that is taken moves to the end.
std::shared_ptr<digest_pool::followed_file> digest_pool::next() noexcept {
    const auto found = std::ranges::find_if(files_, has_piece);
    if (found == files_.end()) return nullptr;
    std::ranges::rotate(found, found + 1, files_.end());
    return files_.back();
}

void digest_pool::work() noexcept {
    os::set_idle_priority();
    std::optional<running_digest> own;
    try {
        own.emplace();
    } catch (const std::bad_alloc&) {
        return;  // each follower then reads its own file
    }
    auto& scratch = *own;
    std::chrono::milliseconds pause = shortest_pause;
    std::unique_lock lock{mutex_};
    while (!stopping_) {
        const auto entry = next();
        if (!entry) {
            if (files_.empty()) {
                wakeup_.wait(lock, [this] { return stopping_ || !files_.empty(); });
            } else {
                wakeup_.wait_for(lock, pause, [this] {
                    return stopping_ || std::ranges::any_of(files_, has_piece);
                });
                pause = std::min(2 * pause, longest_pause);
            }
            continue;
        }
        pause = shortest_pause;
        entry->busy = true;
        const auto end = std::min(entry->size(), entry->digest.place() + piece_size);
        bool good = scratch.become(entry->digest);
        lock.unlock();
        // The follower must not wait for this thread, which may wait for a core: it goes on from
        // the state before this piece.
        good = good && scratch.go_to(entry->file.get(), end) && scratch.place() == end;
        lock.lock();
        entry->busy = false;
        if (entry->withdrawn) continue;
        if (!good || !entry->digest.become(scratch)) drop(*entry);
    }
}

digest_follower::~digest_follower() {
    stop();
}

bool digest_follower::ensure_state() noexcept {
    try {
        if (state_ == nullptr) state_ = std::make_shared<digest_pool::followed_file>();
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void digest_follower::start() noexcept {
    if (started_ || !ensure_state()) return;
    // The owner may close its descriptor during a read; a duplicate would keep its lock.
    std::array<char, 32> path{};
    fmt::format_to_n(path.data(), path.size() - 1, "/proc/self/fd/{}", file_);
    state_->file.reset(os::sys().openat(AT_FDCWD, path.data(), O_RDONLY | O_CLOEXEC));
    if (!state_->file) return;
    state_->base = base_;
    state_->written = &written_;
    started_ = pool_.add(state_);
}

void digest_follower::stop() noexcept {
    if (std::exchange(started_, false)) pool_.withdraw(*state_);
}

std::uint64_t digest_follower::left(std::uint64_t size) noexcept {
    stop();
    return size - std::min(size, state_ == nullptr ? 0 : state_->digest.place());
}

result<void> digest_follower::catch_up(std::uint64_t size) {
    stop();
    if (!ensure_state()) return failure_of(ENOMEM);
    auto& digest = state_->digest;
    while (digest.place() < size) {
        if (given_up_) return failure(fault::cancelled);
        const auto end = std::min(size, digest.place() + stride);
        auto read = digest.go_to(file_, end);
        if (!read) return read;
        if (digest.place() < end) break;
    }
    return {};
}

result<http::sha256_value> digest_follower::finish(std::uint64_t size) {
    if (auto read = catch_up(size); !read) return failure(read.error());
    return state_->digest.finish();
}

}  // namespace sluice::files
