// Whichever thread of those that ask comes first takes the digest a piece further.
#include "sluice/files/server/shared_digests.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>

namespace sluice::files {
namespace {

// A thread that waits for another one looks at its own client again after that.
constexpr auto moment = std::chrono::milliseconds{50};

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
        mine_ = *found;
    } else {
        mine_ = std::make_shared<shared_digests::computation>(wanted);
        const auto known =
            std::ranges::find(all_.made_, wanted, [](const auto& each) { return each.first; });
        if (known != all_.made_.end()) mine_->made = known->second;
        all_.running_.push_back(mine_);
    }
    ++mine_->requests;
}

digest_request::~digest_request() {
    const std::lock_guard lock{all_.mutex_};
    if (--mine_->requests == 0) std::erase(all_.running_, mine_);
}

result<http::sha256_value> digest_request::finish() {
    struct stat after{};
    if (::fstat(file_, &after) < 0) return failure_of(errno);
    if (shared_digests::identity{after} != mine_->of || mine_->digest.place() != mine_->of.size) {
        return failure_of(ESTALE);
    }
    auto value = mine_->digest.finish();
    if (value) keep_digest(file_, now_, *value);
    return value;
}

result<std::optional<http::sha256_value>> digest_request::go_on(std::uint64_t most) {
    auto& c = *mine_;
    const auto outcome = [&c]() -> result<std::optional<http::sha256_value>> {
        if (!c.made) return std::nullopt;
        if (!*c.made) return failure(c.made->error());
        return **c.made;
    };
    std::unique_lock lock{all_.mutex_};
    if (!c.made && c.driven) all_.moved_.wait_for(lock, moment);
    if (c.made || c.driven) return outcome();
    c.driven = true;
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
            // Those who wait for it must not wait on.
            made = failure_of(ENOMEM);
        }
    }
    lock.lock();
    c.driven = false;
    if (made && *made) {
        if (all_.made_.size() == shared_digests::most_remembered) all_.made_.pop_front();
        all_.made_.emplace_back(c.of, **made);
    }
    c.made = std::move(made);
    all_.moved_.notify_all();
    return outcome();
}

}  // namespace sluice::files
