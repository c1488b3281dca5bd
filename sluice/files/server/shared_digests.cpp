// Implements shared digests: one of the requesting threads at a time digests a piece.
#include "sluice/files/server/shared_digests.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <new>

namespace sluice::files {
namespace {

// A thread that waits for another one checks its own client again after that.
constexpr auto wait_step = std::chrono::milliseconds{50};

}  // namespace

shared_digests::identity::identity(const struct stat& now) noexcept
    : device{now.st_dev},
      inode{now.st_ino},
      size{static_cast<std::uint64_t>(now.st_size)},
      modified{std::chrono::nanoseconds{std::chrono::seconds{now.st_mtim.tv_sec}}.count() +
               now.st_mtim.tv_nsec} {}

digest_request::digest_request(shared_digests& all, int file, const struct stat& now)
    : all_{all}, file_{file}, now_{now} {
    const shared_digests::identity wanted{now};
    const std::lock_guard lock{all_.mutex_};
    const auto found = std::ranges::find_if(
        all_.running_, [&wanted](const auto& each) { return each->of == wanted; });
    if (found != all_.running_.end()) {
        computation_ = *found;
    } else {
        computation_ = std::make_shared<shared_digests::computation>(wanted);
        const auto known =
            std::ranges::find(all_.made_, wanted, [](const auto& each) { return each.first; });
        if (known != all_.made_.end()) computation_->made = known->second;
        all_.running_.push_back(computation_);
    }
    ++computation_->requests;
}

digest_request::~digest_request() {
    const std::lock_guard lock{all_.mutex_};
    if (--computation_->requests == 0) std::erase(all_.running_, computation_);
}

result<http::sha256_value> digest_request::finish() {
    struct stat after{};
    if (const int failed = os::sys().fstat(file_, after); failed < 0) return failure_of(-failed);
    if (shared_digests::identity{after} != computation_->of ||
        computation_->digest.place() != computation_->of.size) {
        return failure_of(ESTALE);
    }
    const auto value = computation_->digest.finish();
    keep_digest(file_, now_, value);
    return value;
}

result<std::optional<http::sha256_value>> digest_request::go_on(std::uint64_t most) {
    auto& c = *computation_;
    const auto outcome = [&c]() -> result<std::optional<http::sha256_value>> {
        if (!c.made) return std::nullopt;
        if (!*c.made) return failure(c.made->error());
        return **c.made;
    };
    std::unique_lock lock{all_.mutex_};
    if (!c.made) all_.progressed_.wait_for(lock, wait_step, [&c] { return c.made || !c.busy; });
    if (c.made || c.busy) return outcome();
    c.busy = true;
    lock.unlock();
    const std::uint64_t begin = c.digest.place();
    const std::uint64_t end = std::min(c.of.size, begin + std::min(most, c.of.size));
    auto read = c.digest.go_to(file_, end);
    const bool ended = !read || c.digest.place() >= c.of.size || c.digest.place() < end;
    std::optional<result<http::sha256_value>> made;
    if (!read) {
        made = failure(read.error());
    } else if (ended) {
        try {
            made = finish();
        } catch (const std::bad_alloc&) {
            // The threads that wait for it need a result.
            made = failure_of(ENOMEM);
        }
    }
    lock.lock();
    c.busy = false;
    if (made && *made) {
        if (all_.made_.size() == shared_digests::max_cached) all_.made_.pop_front();
        all_.made_.emplace_back(c.of, **made);
    }
    c.made = std::move(made);
    all_.progressed_.notify_all();
    return outcome();
}

}  // namespace sluice::files
