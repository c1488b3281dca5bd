// Implements the second step of an upload: opens the file that takes its bytes, and asks for space.
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "sluice/base/relaxed.hpp"
#include "sluice/base/sometimes.hpp"
#include "sluice/files/server/beneath.hpp"
#include "sluice/files/server/put_body.hpp"
#include "sluice/files/server/put_upload.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::files {
namespace {

using namespace std::chrono_literals;

// How long an upload waits for another one of the same file, which is probably about to end.
constexpr auto lock_time = 5s;
constexpr auto lock_pause = 20ms;

}  // namespace

coro::task<std::unique_ptr<put_body>> put_upload::reserve() {
    auto file = co_await open_file();
    if (!file || !can_hold(*file)) co_return nullptr;
    co_return std::make_unique<put_body>(*this, std::move(*file));
}

coro::task<bool> put_upload::can_reserve() {
    auto file = co_await open_file();
    co_return file&& can_hold(*file);
}

/// Opens the file that takes the bytes; none if that was refused.
coro::task<std::optional<pending_file>> put_upload::open_file() {
    resumable_ = range().has_value();
    if (resumable_ && x_.files().partials().is_full()) {
        static_cast<void>(co_await on_disk(x_.service(), x_.engine(), [this] {
            return x_.files().make_space_for_part(path(), key());
        }));
    }
    std::optional<result<pending_file>> tried;
    const auto open = [&] {
        tried.emplace(resumable_ ? x_.files().resume(path(), key(), *range()->total)
                                 : x_.files().receive(path()));
    };
    open();
    const auto until = io::after(io::clock::now(), lock_time);
    sometimes(rare_path::files_part_locked, !*tried && tried->error().is(EBUSY));
    while (!*tried && tried->error().is(EBUSY) && io::clock::now() < until) {
        auto slept = co_await io::sleep_for(x_.engine(), lock_pause);
        if (!slept) break;
        open();
    }
    // Where no part can be kept, a file in one piece can still be received.
    if (resumable_ && !*tried && tried->error().is(EACCES)) {
        if (range()->part->length != *range()->total) {
            refuse(403, "the server may not keep parts of files here: send the file in one piece");
            co_return std::nullopt;
        }
        resumable_ = false;
        open();
    }
    auto& opened = *tried;
    if (!opened && opened.error().is(EBUSY)) {
        counting().failed.fetch_add(1, relaxed);
        x_.response().reply(503).field("Retry-After", 1);
        x_.response().end_with("somebody else sends this file at the moment; try again");
        co_return std::nullopt;
    }
    if (!opened) {
        x_.response().refuse_change(opened.error());
        co_return std::nullopt;
    }
    if (range()) {
        struct stat now{};
        const auto there = os::sys().fstat(opened->fd(), now) == 0 ? size_of(now) : 0;
        if (base() > there) {
            reply_arrived(409, there);
            x_.response().end_with("what lies before this part has not arrived");
            co_return std::nullopt;
        }
        if (opened->is_durable_beyond(base())) {
            auto& file = *opened;
            const auto ready = co_await on_disk(
                x_.service(), x_.engine(), [this, &file] { return file.write_again_from(base()); });
            if (!ready) {
                x_.response().refuse_for(ready.error());
                co_return std::nullopt;
            }
        }
    }
    co_return std::move(*opened);
}

/// Whether the whole file can fit; space is claimed as the body arrives.
bool put_upload::can_hold(pending_file& file) {
    if (!total()) return true;
    const auto fits = file.can_hold(*total());
    if (fits) return true;
    // The bytes that have arrived would only take space from other uploads.
    file.forget();
    x_.response().refuse_for(fits.error());
    return false;
}

}  // namespace sluice::files
