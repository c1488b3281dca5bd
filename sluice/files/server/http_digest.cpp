// Makes a digest while it watches the client.
#include "sluice/files/server/http_digest.hpp"

#include <atomic>
#include <cstdint>

#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/files/server/shared_digests.hpp"
#include "sluice/os/quiet_thread.hpp"

namespace sluice::files {
namespace {

using outcome = std::optional<http::sha256_value>;

// Between two looks at the client: a few milliseconds.
constexpr std::uint64_t stride = std::uint64_t{8} << 20;
// Made to its end for a client that has only ended its stream, and waits.
constexpr std::uint64_t small_file = std::uint64_t{64} << 20;

/// Until the client ends its stream, or this is cancelled.
coro::task<void> watch(http_exchange& x, std::atomic<bool>& gone) {
    for (;;) {
        auto got = co_await x.read_ahead();
        // What the client asks next fills the memory for it: then its end is not seen.
        if (!got && got.error() == fault::message_too_long) co_return;
        if (got && *got > 0) continue;
        gone = true;
        co_return;
    }
}

coro::task<outcome> in_place(http_exchange& x, int file, const struct stat& now) {
    auto& within = co_await coro::this_context();
    digest_request wanted{x.door().shared(), file, now};
    const bool is_small = static_cast<std::uint64_t>(now.st_size) <= small_file;
    for (;;) {
        auto made = wanted.go_on(stride);
        if (!made) co_return std::nullopt;
        if (*made) co_return *made;
        if (within.cancelled() || (!is_small && x.has_ended())) co_return std::nullopt;
    }
}

}  // namespace

coro::task<std::optional<http::sha256_value>> make_digest_for(http_exchange& x, int file,
                                                              const struct stat& now) {
    if (x.client().home().works_in_place()) co_return co_await in_place(x, file, now);
    std::atomic<bool> gone = false;
    const bool is_small = static_cast<std::uint64_t>(now.st_size) <= small_file;
    coro::scope watching{co_await coro::this_context()};
    if (!is_small) static_cast<void>(watching.spawn(watch(x, gone)));
    auto made = co_await x.door().digests().run(x.client().home(), [&]() -> result<outcome> {
        stand_back();
        digest_request wanted{x.door().shared(), file, now};
        while (!gone) {
            auto part = wanted.go_on(stride);
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
