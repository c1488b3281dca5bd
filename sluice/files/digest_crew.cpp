// A crew reads a piece at a time, and gives up what it has read when the owner is faster.
#include "sluice/files/digest_crew.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

#include "sluice/os/quiet_thread.hpp"

namespace sluice::files {
namespace {

using namespace std::chrono_literals;

// Read at a time: about half a millisecond.
constexpr std::uint64_t crew_piece = std::uint64_t{1} << 20;
// Less is not worth a turn.
constexpr std::uint64_t least = std::uint64_t{128} << 10;
// While nothing comes: longer and longer.
constexpr auto shortest_pause = 1ms;
constexpr auto longest_pause = 32ms;
// More would only share the cores and the disk.
constexpr unsigned most_workers = 4;
// Between two looks whether anybody still wants it: a few milliseconds.
constexpr std::uint64_t stride = std::uint64_t{8} << 20;

std::size_t useful_workers() noexcept {
    return std::clamp(std::thread::hardware_concurrency(), 1U, most_workers);
}

}  // namespace

digest_crew::~digest_crew() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        news_.notify_all();
    }
    for (auto& each : workers_) each->join();
}

bool digest_crew::add(const std::shared_ptr<followed>& one) noexcept try {
    const std::lock_guard lock{mutex_};
    if (workers_.size() < std::min(useful_workers(), followed_.size() + 1)) {
        if (!start_quietly(workers_.emplace_back(), [this] { work(); })) workers_.pop_back();
    }
    followed_.push_back(one);
    news_.notify_one();
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

void digest_crew::take_back(followed& one) noexcept {
    const std::lock_guard lock{mutex_};
    one.taken = true;
    drop(one);
}

void digest_crew::drop(const followed& one) noexcept {
    std::erase_if(followed_, [&one](const auto& each) { return each.get() == &one; });
}

// Whoever had a turn goes to the end.
std::shared_ptr<digest_crew::followed> digest_crew::next() noexcept {
    const auto found = std::ranges::find_if(followed_, [](const auto& each) {
        return !each->busy && each->there() >= each->digest.place() + least;
    });
    if (found == followed_.end()) return nullptr;
    std::ranges::rotate(found, found + 1, followed_.end());
    return followed_.back();
}

void digest_crew::work() noexcept {
    let_others_go_first();
    std::optional<running_digest> own;
    try {
        own.emplace();
    } catch (const std::bad_alloc&) {
        return;  // each owner makes its digest itself
    }
    auto& ours = *own;
    std::chrono::milliseconds pause = shortest_pause;
    std::unique_lock lock{mutex_};
    while (!stopping_) {
        const auto one = next();
        if (!one) {
            if (followed_.empty()) {
                news_.wait(lock);
            } else {
                news_.wait_for(lock, pause);
                pause = std::min(2 * pause, longest_pause);
            }
            continue;
        }
        pause = shortest_pause;
        one->busy = true;
        const auto end = std::min(one->there(), one->digest.place() + crew_piece);
        bool good = ours.become(one->digest);
        lock.unlock();
        // The owner must not wait for a thread that may be waiting for a core: it goes on from
        // what stood here before.
        good = good && ours.go_to(one->file.get(), end) && ours.place() == end;
        lock.lock();
        one->busy = false;
        if (one->taken) continue;
        if (!good || !one->digest.become(ours)) drop(*one);
    }
}

digest_follower::~digest_follower() {
    stop();
}

bool digest_follower::has_state() noexcept {
    try {
        if (state_ == nullptr) state_ = std::make_shared<digest_crew::followed>();
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void digest_follower::start() noexcept {
    if (started_ || !has_state()) return;
    // The owner's may be closed while a piece is being read; a duplicate would keep its lock.
    std::array<char, 32> path{};
    fmt::format_to_n(path.data(), path.size() - 1, "/proc/self/fd/{}", file_);
    state_->file.reset(::open(path.data(), O_RDONLY | O_CLOEXEC));
    if (!state_->file) return;
    state_->base = base_;
    state_->told = &told_;
    started_ = crew_.add(state_);
}

void digest_follower::stop() noexcept {
    if (std::exchange(started_, false)) crew_.take_back(*state_);
}

std::uint64_t digest_follower::left(std::uint64_t size) noexcept {
    stop();
    return size - std::min(size, state_ == nullptr ? 0 : state_->digest.place());
}

result<void> digest_follower::catch_up(std::uint64_t size) {
    stop();
    if (!has_state()) return failure_of(ENOMEM);
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
