// Implements signals over signalfd(2).
#include "sluice/io/signals.hpp"

#include <sys/signalfd.h>

#include <span>

#include "sluice/os/kernel.hpp"

namespace sluice::io {

const op_kind next_signal::kind_{.want = interest::in, .attempt = &attempt};

int next_signal::attempt(op& o) noexcept {
    signalfd_siginfo info{};
    const auto n = os::sys().read(o.fd(), std::as_writable_bytes(std::span{&info, 1}));
    if (n < 0) return static_cast<int>(n);
    return static_cast<int>(info.ssi_signo);
}

result<int> next_signal::await_resume() noexcept {
    if (raw_result() < 0) return failure(error_of(raw_result()));
    return raw_result();
}

result<signals> signals::watch(engine& e, std::initializer_list<int> which) noexcept {
    sigset_t set{};
    sigemptyset(&set);
    for (const int number : which) sigaddset(&set, number);
    unique_fd fd{os::sys().signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK)};
    if (!fd) return failure_of(-fd.get());
    if (auto attached = e.attach(fd.get(), true); !attached) return failure(attached.error());
    sigset_t before{};
    os::sys().mask_signals(SIG_BLOCK, &set, &before);
    return signals{e, std::move(fd), before};
}

signals::~signals() {
    if (!fd_) return;
    engine_->detach(fd_.get());
    os::sys().mask_signals(SIG_SETMASK, &before_, nullptr);
}

}  // namespace sluice::io
