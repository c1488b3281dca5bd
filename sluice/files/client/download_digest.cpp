// Implements download_digest: follows a growing file, and compares with what the server says.
#include "sluice/files/client/download_digest.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sluice/io/deadline.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/thread.hpp"

namespace sluice::files {
namespace {

result<void> write_out(int file) noexcept {
    if (const int failed = os::sys().fdatasync(file); failed < 0) return failure_of(-failed);
    return {};
}

}  // namespace

void download_digest::expect(const http::http_response& head) {
    const auto field = head.field("repr-digest");
    if (!field) return;
    if (const auto parsed = http::parse_repr_digest(*field); parsed && *parsed) {
        expected_ = *parsed;
    }
}

void download_digest::follow(int file, std::uint64_t size) {
    const auto base = size - progress_.of_this_attempt();
    if (follower_ && base_ == base) return;
    follower_.emplace(pool_, file, base, progress_.transferred());
    file_ = file;
    base_ = base;
    follower_->start();
}

coro::task<result<http::sha256_value>> download_digest::of_file(std::uint64_t size, bool sync) {
    constexpr std::uint64_t slice = std::uint64_t{8} << 20;
    const int file = file_;
    os::background_job disk;
    auto left = follower_->left(size);
    progress_.checked().add(size - left);
    if (sync && left > slice) disk.start([file] { return write_out(file); });
    // In slices, so that it can be cancelled and its progress is visible.
    while (left > 0) {
        const auto now = std::min(left, slice);
        const auto work = [this, end = size - left + now] { return follower_->catch_up(end); };
        auto read = co_await link_.readers().run(link_.engine(), work);
        if (!read) co_return failure(read.error());
        left -= now;
        progress_.checked().add(now);
        // On the blocking engine this wait is the only point at which a cancellation arrives.
        if (!link_.engine().blocks()) continue;
        auto yielded = co_await io::sleep_until{link_.engine(), io::clock::now()};
        if (!yielded) co_return failure(yielded.error());
    }
    if (disk.started()) {
        auto written = co_await link_.readers().run(link_.engine(), [&] { return disk.wait(); });
        if (!written) co_return failure(written.error());
    }
    co_return follower_->finish(size);
}

attempt<void> download_digest::compare(const http::sha256_value& actual,
                                       std::string_view advice) const {
    if (actual == *expected_) return {};
    return std::unexpected{transfer_error{
        .kind = transfer_error_kind::corrupted,
        .what = fmt::format("what arrived is not what was sent: its sha256 is {}, and the "
                            "server's is {}; {}",
                            http::to_hex(actual), http::to_hex(*expected_), advice)}};
}

}  // namespace sluice::files
