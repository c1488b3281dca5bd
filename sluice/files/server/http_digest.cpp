// Implements digests for clients: in pieces, as long as the client is connected.
#include "sluice/files/server/http_digest.hpp"

#include <atomic>
#include <cstdint>

#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/files/server/shared_digests.hpp"
#include "sluice/os/thread.hpp"

namespace sluice::files {
namespace {

using outcome = std::optional<http::sha256_value>;

// Bytes between two checks of the client: a few milliseconds.
constexpr std::uint64_t check_stride = std::uint64_t{8} << 20;
// Bytes. Up to here also for a client that has only ended its stream, and waits.
constexpr std::uint64_t small_file = std::uint64_t{64} << 20;

/// Reads ahead until the client ends its stream, or this is cancelled.
coro::task<void> watch_client(http_exchange& x, std::atomic<bool>& client_gone) {
    for (;;) {
        auto got = co_await x.read_more(io::never);
        // Pipelined requests fill the buffer: the end of the stream cannot be seen then.
        if (!got && got.error() == fault::message_too_long) co_return;
        if (got && *got > 0) continue;
        client_gone = true;
        co_return;
    }
}

coro::task<outcome> make_in_place(http_exchange& x, int file, const struct stat& now) {
    auto& within = co_await coro::this_context();
    digest_request request{x.service().shared(), file, now};
    const bool is_small = static_cast<std::uint64_t>(now.st_size) <= small_file;
    for (;;) {
        auto made = request.go_on(check_stride);
        if (!made) co_return std::nullopt;
        if (*made) co_return *made;
        if (within.cancelled() || (!is_small && x.has_ended())) co_return std::nullopt;
    }
}

}  // namespace

coro::task<std::optional<http::sha256_value>> make_digest_for(http_exchange& x, int file,
                                                              const struct stat& now) {
    if (x.engine().works_in_place()) co_return co_await make_in_place(x, file, now);
    std::atomic<bool> client_gone = false;
    const bool is_small = static_cast<std::uint64_t>(now.st_size) <= small_file;
    coro::scope watching{co_await coro::this_context()};
    if (!is_small) static_cast<void>(watching.spawn(watch_client(x, client_gone)));
    auto made = co_await x.service().digests().run(x.engine(), [&]() -> result<outcome> {
        os::lower_priority();
        digest_request request{x.service().shared(), file, now};
        while (!client_gone) {
            auto part = request.go_on(check_stride);
            if (!part || *part) return part;
        }
        return std::nullopt;
    });
    watching.cancel();
    co_await watching.join();
    if (!made) co_return std::nullopt;
    co_return *made;
}

}  // namespace sluice::files
