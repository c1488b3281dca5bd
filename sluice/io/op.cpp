// Implements op: how an operation is submitted, cancelled and destroyed.
#include "sluice/io/op.hpp"

#include <cerrno>

#include "sluice/base/check.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/record_layer.hpp"

namespace sluice::io {

op::~op() {
    if (in_flight() || resumable::linked()) [[unlikely]]
        engine_->abandon(*this);
}

bool op::begin(std::coroutine_handle<> h, coro::context& current) noexcept {
    if (current.cancelled() || shut_) {
        result_ = -ECANCELED;
        return false;
    }
    check(!has_waiter(), "two coroutines await one operation");
    if (kind().inline_first && engine_->try_at_once(*this)) return false;
    set_waiter(h);
    // The blocking engine waits inside submit, where a cancellation must find the operation.
    if (engine_->blocks()) watch(current);
    if (engine_->submit(*this)) {
        if (!kind().multishot) cancel_hook::unlink();
        static_cast<void>(take_waiter());
        return false;
    }
    if (in_flight()) watch(current);
    return true;
}

bool op::begin_wait(std::coroutine_handle<> h, coro::context& current) noexcept {
    if (!in_flight()) {
        // Submitted as any operation, but still cancellable after it has settled early.
        if (!begin(h, current)) return false;
    } else {
        if (current.cancelled() || shut_) return false;
        check(!has_waiter(), "two coroutines await one operation");
        set_waiter(h);
    }
    watch(current);
    return true;
}

// A stream keeps watching between its waits: to join and leave the list of its context each time
// would touch its neighbours there, which are in other connections' memory.
void op::watch(coro::context& current) noexcept {
    if (watches(current)) return;
    cancel_hook::unlink();
    current.watch(*this);
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
    return record_layer::error_of(negative_errno);
}

}  // namespace sluice::io
