// How an operation begins, ends early, and dies.
#include "sluice/io/op.hpp"

#include <cerrno>

#include "sluice/base/check.hpp"
#include "sluice/io/engine.hpp"

namespace sluice::io {

op::~op() {
    check(!in_flight(), "an operation dies in flight");
}

bool op::begin(std::coroutine_handle<> h, coro::context& here) noexcept {
    if (here.cancelled()) {
        result_ = -ECANCELED;
        return false;
    }
    set_waiter(h);
    // A blocking engine waits inside submit, where a cancellation must find the operation.
    if (engine_->blocks()) here.watch(*this);
    if (engine_->submit(*this)) {
        cancel_hook::unlink();
        static_cast<void>(take_waiter());
        return false;
    }
    if (in_flight()) here.watch(*this);
    return true;
}

void op::cancel() noexcept {
    engine_->cancel(*this);
}

error op::error_of(int negative_errno) noexcept {
    if (negative_errno == -ECANCELED) return fault::cancelled;
    return error::system(-negative_errno);
}

}  // namespace sluice::io
