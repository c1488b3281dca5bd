// Implements PUT: an upload waits for its body, and passes five steps.
#include "sluice/base/relaxed.hpp"
#include "sluice/files/server/http_exchange.hpp"
#include "sluice/files/server/put_body.hpp"
#include "sluice/files/server/put_progress.hpp"
#include "sluice/files/server/put_upload.hpp"

namespace sluice::files {
namespace {

void refuse_missing_body(http_exchange& x, error why) {
    if (why == fault::timed_out) {
        x.response().refuse_slow_body();
    } else {
        x.service().counting().lost.fetch_add(1, relaxed);
        x.hang_up();
    }
}

// One coroutine, whose frame is held during the wait for the body. One variable for all outcomes:
// each has a place of its own in the frame.
coro::task<void> receive_upload(http_exchange& x) {
    put_upload put{x};
    if (!put.check_request()) co_return;
    bool passed = true;
    if (!x.body().is_here()) {
        passed = co_await put.can_reserve();
        if (!passed) co_return;
        const auto came = co_await x.body().wait();
        if (!came) {
            refuse_missing_body(x, came.error());
            co_return;
        }
    }
    const auto body = co_await put.reserve();
    if (body == nullptr) co_return;
    passed = co_await put.receive(*body);
    if (!passed) co_return;
    passed = co_await put.verify(*body);
    if (!passed) co_return;
    co_await put.commit(*body);
}

}  // namespace

coro::task<void> answer_put(http_exchange& x) {
    if (asks_progress(x.request())) return answer_progress(x);
    return receive_upload(x);
}

}  // namespace sluice::files
