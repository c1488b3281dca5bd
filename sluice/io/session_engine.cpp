// Implements session_engine: parks operations until epoll reports their descriptors.
#include "sluice/io/session_engine.hpp"

#include <cerrno>
#include <utility>

#include "sluice/base/check.hpp"

namespace sluice::io {
namespace {

// Turns of a session before its thread serves another: each is a budget of operations
// (engine_options), which is some 4 MiB of a transfer.
constexpr int turns_of_a_session = 4;

// As in every turn of the epoll engine, but for one session: a coroutine and its children.
constexpr engine_options one_session{.buffers = {}, .turn_budget = 8};

}  // namespace

session_engine::session_engine(slot_table& slots, epoll& events, std::uint64_t data, waker on_wake,
                               void* owner)
    : engine{one_session, slots}, events_{events}, data_{data}, on_wake_{on_wake}, owner_{owner} {}

session_engine::~session_engine() {
    wait_for_senders();
}

void session_engine::begin_run(std::unique_ptr<buffer_pool>& buffers) noexcept {
    if (!has_buffers()) static_cast<void>(set_buffers(std::move(buffers)));
    // The ready descriptor may be that of any of them.
    parked_.for_each([this](coro::resumable& r) {
        op& o = static_cast<op&>(r);
        o.resumable::unlink();
        fd_slot& s = slot(o.fd());
        (o.kind().want == interest::in ? s.readable : s.writable) = true;
        queue(o);
    });
}

void session_engine::run() noexcept {
    int left = turns_of_a_session;
    do run_once(time_point::min());
    while (is_busy() && --left > 0);
}

void session_engine::end_run(std::unique_ptr<buffer_pool>& pool) noexcept {
    if (buffers().leased() == 0) pool = set_buffers(nullptr);
}

bool session_engine::start(op& o) noexcept {
    if (o.kind().want != interest::none) {
        const fd_slot& s = slot(o.fd());
        if (!(o.kind().want == interest::in ? s.readable : s.writable)) {
            park(o);
            return false;
        }
    }
    return try_or_park(o);
}

bool session_engine::try_or_park(op& o) noexcept {
    switch (attempt(o)) {
        case outcome::over: return true;
        case outcome::not_ready: park(o); return false;
        case outcome::no_buffer:
            // No other coroutine could return one.
            static_cast<void>(completed(o, {.result = -ENOBUFS}));
            return true;
    }
    return false;
}

void session_engine::park(op& o) noexcept {
    o.state_ = op::state::parked;
    parked_.push_back(o);
}

void session_engine::withdraw(op& o) noexcept {
    fail(o, -ECANCELED);
}

void session_engine::fail(op& o, int negative_errno) noexcept {
    o.resumable::unlink();
    static_cast<void>(completed(o, {.result = negative_errno}));
    settle(o);
}

void session_engine::wait(time_point /*until*/) noexcept {
    update_clock();
}

bool session_engine::watch() noexcept {
    bool all = true;
    parked_.for_each([&](coro::resumable& r) {
        op& o = static_cast<op&>(r);
        fd_slot& s = slot(o.fd());
        // A descriptor has one registration for both directions. No EPOLLRDHUP: it would keep
        // waking an operation that waits to write.
        std::uint32_t events = EPOLLONESHOT;
        if (s.in != nullptr && s.in->state_ == op::state::parked) events |= EPOLLIN;
        if (s.out != nullptr && s.out->state_ == op::state::parked) events |= EPOLLOUT;
        auto watched = s.registered ? events_.modify(o.fd(), events, data_)
                                    : events_.add(o.fd(), events, data_);
        if (watched) {
            s.registered = true;
            return;
        }
        fail(o, -watched.error().code());
        all = false;
    });
    return all;
}

void session_engine::on_detach(int fd, fd_slot& s) noexcept {
    if (!s.registered) return;
    const auto removed = events_.remove(fd);
    check(removed.has_value(), "a descriptor was closed before it was detached");
}

}  // namespace sluice::io
