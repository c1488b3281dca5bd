// How an operation begins, ends early, and dies.
#include "sluice/io/op.hpp"

#include <cerrno>

#include "sluice/base/check.hpp"
#include "sluice/io/engine.hpp"

namespace sluice::io {

op::~op() {
    check(!in_flight() && !resumable::linked(), "an operation dies in flight");
    cancel_hook::unlink();
}

bool op::begin(std::coroutine_handle<> h, coro::context& here) noexcept {
    if (here.cancelled() || shut_) {
        result_ = -ECANCELED;
        return false;
    }
    check(!has_waiter(), "two wait for one operation");
    if (kind().eager && engine_->try_at_once(*this)) return false;
    set_waiter(h);
    // A blocking engine waits inside submit, where a cancellation must find the operation.
    if (engine_->blocks()) watch(here);
    if (engine_->submit(*this)) {
        if (!kind().multishot) cancel_hook::unlink();
        static_cast<void>(take_waiter());
        return false;
    }
    if (in_flight()) watch(here);
    return true;
}

bool op::begin_wait(std::coroutine_handle<> h, coro::context& here) noexcept {
    if (!in_flight()) {
        // A submission, as of any operation; but it stays cancellable when it has settled early.
        if (!begin(h, here)) return false;
    } else {
        if (here.cancelled() || shut_) return false;
        check(!has_waiter(), "two wait for one operation");
        set_waiter(h);
    }
    watch(here);
    return true;
}

// A stream goes on watching between its waits: to join and leave the list of its context each time
// would touch its neighbours there, which are other connections' memory.
void op::watch(coro::context& here) noexcept {
    if (watches(here)) return;
    cancel_hook::unlink();
    here.watch(*this);
}

void op::on_cancel(cancel_hook& hook) noexcept {
    auto& self = static_cast<op&>(hook);
    if (self.kind().multishot) {
        self.engine_->give_up_wait(self);
    } else {
        self.cancel();
    }
}

void op::cancel() noexcept {
    engine_->cancel(*this);
}

error op::error_of(int negative_errno) noexcept {
    if (negative_errno == -ECANCELED) return fault::cancelled;
    return error::system(-negative_errno);
}

}  // namespace sluice::io
