// Implements waiting for the body of an HTTP request, reading it, and dropping it.
#include "sluice/files/server/http_body.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "sluice/io/ops/poll.hpp"

namespace sluice::files {
namespace {

// An unwanted body up to this size is read: that costs less than a new connection.
constexpr std::uint64_t small_body = std::uint64_t{64} * 1024;

}  // namespace

pace_limits request_body::limits() noexcept {
    const auto& options = of_.service().options();
    return {.window = options.body_time, .bytes_a_second = options.min_rate};
}

io::time_point request_body::deadline() noexcept {
    return io::after(io::clock::now(), of_.service().options().body_time);
}

bool request_body::is_here() noexcept {
    return of_.has_whole_body() || !of_.buffered().empty() || of_.client().peer().is_readable();
}

// Not a coroutine: an upload that waits for its body holds the memory of each frame.
coro::task<result<void>> request_body::wait() {
    if (of_.request().expects_go_ahead) of_.out().add("HTTP/1.1 100 Continue\r\n\r\n");
    return of_.await_bytes(deadline());
}

result<std::string_view> request_body::read_piece() noexcept {
    if (!of_.buffered().empty()) return of_.buffered();
    if (!of_.step_in()) return failure_of(ENOMEM);
    const auto got = of_.read_now();
    if (!got && got.error().is(EAGAIN)) return std::string_view{};
    if (!got) return failure(got.error());
    if (*got == 0) return failure(fault::ended);
    return of_.buffered();
}

coro::task<result<void>> request_body::drop_if_small() {
    const auto& r = of_.request();
    if (of_.has_whole_body() || r.chunked || *r.length > small_body || r.expects_go_ahead) {
        co_return result<void>{};
    }
    transfer::byte_counter counter;
    auto dropped =
        co_await at_pace<void>(of_.engine(), limits(), counter, [&] { return drop(counter); });
    of_.told().received += counter.bytes();
    if (dropped) of_.end_body();
    co_return dropped;
}

coro::task<result<void>> request_body::drop(transfer::byte_counter& counter) {
    for (auto left = *of_.request().length; left > 0;) {
        if (of_.buffered().empty()) {
            auto got = co_await of_.read_more(deadline());
            if (!got) co_return failure(got.error());
            if (*got == 0) co_return failure(fault::ended);
        }
        const auto now =
            static_cast<std::size_t>(std::min<std::uint64_t>(left, of_.buffered().size()));
        of_.take(now);
        counter.add(now);
        left -= now;
    }
    co_return result<void>{};
}

}  // namespace sluice::files
