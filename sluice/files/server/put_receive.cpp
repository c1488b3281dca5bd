// Implements the third step of an upload: the loop that reads its body, and what ends it early.
#include <fmt/format.h>

#include <cerrno>
#include <string_view>

#include "sluice/base/planted_bug.hpp"
#include "sluice/base/relaxed.hpp"
#include "sluice/files/server/pace.hpp"
#include "sluice/files/server/put_body.hpp"
#include "sluice/files/server/put_upload.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/ops/poll.hpp"

namespace sluice::files {
namespace {

/// The body did not arrive completely, or could not be written.
void stop_upload(put_upload& put, put_body& body, error why) {
    auto& x = put.exchange();
    const auto stop_and_report = [&](std::string_view what) {
        body.file().stop();
        x.service().report(
            fmt::format("{} [Client {}] after {} bytes of {}: {}; {}", what, x.number(),
                        body.bytes(), put.path(), why.message(),
                        put.is_resumable() ? "what came waits to be resumed" : "nothing was kept"));
    };
    if (why.is(EBADMSG)) {
        put.counting().bad_requests.fetch_add(1, relaxed);
        put.refuse(400, put.fields().mistake);
    } else if (why.is(EMSGSIZE)) {
        put.refuse_too_large();
    } else if (why == fault::timed_out) {
        stop_and_report("Left");
        x.response().refuse_slow_body();
    } else if (why == fault::ended || why == fault::cancelled || why.is(ECONNRESET) ||
               why.is(EPIPE) || why.is(ETIMEDOUT)) {
        put.counting().lost.fetch_add(1, relaxed);
        stop_and_report("Lost");
        // The client may have ended only its side, and wait for earlier responses.
        x.hang_up();
    } else {
        body.file().forget();
        stop_and_report("Refused");
        x.response().refuse_for(why);
    }
}

}  // namespace

coro::task<result<void>> put_upload::secure(put_body& body) {
    auto& file = body.file();
    co_return co_await on_disk(x_.service(), x_.engine(), [&file] { return file.secure(); });
}

// One coroutine for all long waits: many uploads may have only begun, and each holds the memory of
// its frames.
coro::task<bool> put_upload::receive(put_body& body) {
    result<void> arrived;
    pace_watch pace{x_.body().limits(), io::clock::now()};
    while (arrived && !body.is_complete()) {
        const auto moved = co_await body.move_piece();
        if (!moved) arrived = failure(moved.error());
        if (!moved || *moved) continue;
        const bool sent = co_await x_.flush();
        if (!sent) {
            arrived = failure(fault::cancelled);
            break;
        }
        x_.step_out();
        const auto came =
            co_await io::with_deadline(x_.engine(), x_.client().peer().readable(), pace.next());
        if (!pace.holds(io::clock::now(), body.bytes())) {
            arrived = failure(fault::timed_out);
        } else if (!came && came.error() != fault::timed_out) {
            arrived = failure(came.error());
        }
    }
    if (planted(bug::files_half_body_kept)) arrived = {};
    if (!x_.step_in() && arrived) arrived = failure_of(ENOMEM);
    counting().bytes_stored.fetch_add(body.bytes(), relaxed);
    x_.told().received += body.bytes();
    if (arrived) {
        x_.end_body();
        co_return true;
    }
    body.stop_digest();
    if (is_resumable()) static_cast<void>(co_await secure(body));
    stop_upload(*this, body, arrived.error());
    co_return false;
}

}  // namespace sluice::files
