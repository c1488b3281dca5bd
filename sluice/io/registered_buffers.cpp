// Implements registered_pool: free lists, the ring's buffer table, and pending notifications.
#include "sluice/io/registered_buffers.hpp"

#include <sys/uio.h>

#include <cerrno>
#include <cstdint>

#include "sluice/base/check.hpp"
#include "sluice/base/sometimes.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/engines/ring.hpp"

namespace sluice::io {

registered_pool::registered_pool(ring& of, options o, engine_counters& counters)
    : ring_{of}, options_{o}, counters_{counters}, entries_(o.most) {
    // io_uring_register(2) takes tables of 16,384 at most, and buffers of a GiB.
    check(o.count <= o.most && o.most <= 16384, "registered buffers are 16,384 at most");
    check(o.size > 0 && o.size <= 1U << 30, "a registered buffer has a byte to a GiB");
    for (int id = static_cast<int>(o.most) - 1; id >= 0; --id) put_back(id);
}

registered_pool::~registered_pool() {
    for (const entry& p : entries_)
        check(!p.held, "registered buffers are destroyed while leased or sent");
}

result<registered_buffer> registered_pool::take() noexcept {
    std::int32_t& list = free_ >= 0 ? free_ : free_unregistered_;
    if (list < 0) return failure_of(ENOBUFS);
    const int id = list;
    entry& p = at(id);
    if (p.memory.data() == nullptr) {
        auto memory = mapping::create(options_.size);
        if (!memory) return failure(memory.error());
        p.memory = std::move(*memory);
    }
    list = p.next;
    if (may_register(id) && !p.registered && !refused_) register_buffer(id);
    if (!p.registered) ++counters_.unregistered;
    p.held = true;
    ++leased_;
    return registered_buffer{*this, id};
}

void registered_pool::register_buffer(int id) noexcept {
    if (!table_made_) {
        io_uring_rsrc_register table{};
        table.nr = options_.count;
        table.flags = IORING_RSRC_REGISTER_SPARSE;
        if (ring_.register_with(IORING_REGISTER_BUFFERS2, &table, sizeof table) < 0) {
            refused_ = true;
            return;
        }
        table_made_ = true;
    }
    entry& p = at(id);
    const iovec memory{.iov_base = p.memory.data(), .iov_len = p.memory.size()};
    io_uring_rsrc_update2 update{};
    update.offset = static_cast<unsigned>(id);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the kernel takes an address
    update.data = reinterpret_cast<std::uintptr_t>(&memory);
    update.nr = 1;
    p.registered = ring_.register_with(IORING_REGISTER_BUFFERS_UPDATE, &update, sizeof update) == 1;
    // Usually RLIMIT_MEMLOCK, which the next registration would hit as well.
    refused_ = !p.registered;
}

void registered_pool::begin_send(int id, op& sender) noexcept {
    check(at(id).held && at(id).sender == nullptr, "a buffer is sent that is being sent");
    at(id).sender = &sender;
}

op& registered_pool::result_came(int id, bool notification_follows) noexcept {
    entry& p = at(id);
    op& sender = *p.sender;
    p.sender = nullptr;
    if (notification_follows) ++p.notifications;
    notify_if_idle(id);
    return sender;
}

void registered_pool::notification_came(int id) noexcept {
    --at(id).notifications;
    notify_if_idle(id);
}

void registered_pool::give_back(int id) noexcept {
    at(id).held = false;
    sometimes(rare_path::uring_late_notification, !idle(id));
    notify_if_idle(id);
}

void registered_pool::notify_if_idle(int id) noexcept {
    entry& p = at(id);
    if (!idle(id)) return;
    if (p.idle != nullptr) p.queue->push(*std::exchange(p.idle, nullptr));
    if (p.held) return;
    --leased_;
    put_back(id);
}

void registered_pool::put_back(int id) noexcept {
    entry& p = at(id);
    // Unregistered memory is freed; registered memory stays warm.
    if (!may_register(id)) p.memory = mapping{};
    std::int32_t& list = may_register(id) ? free_ : free_unregistered_;
    p.next = list;
    list = id;
}

bool idle_wait::begin(std::coroutine_handle<> h, coro::context& current) noexcept {
    if (current.cancelled()) {
        cancelled_ = true;
        return false;
    }
    registered_pool::entry& p = pool_.at(id_);
    check(p.idle == nullptr, "two coroutines wait for one registered buffer");
    set_waiter(h);
    current.watch(*this);
    p.queue = &current.queue();
    p.idle = this;
    return true;
}

void idle_wait::on_cancel(cancel_hook& hook) noexcept {
    auto& self = static_cast<idle_wait&>(hook);
    registered_pool::entry& p = self.pool_.at(self.id_);
    // The buffer is idle, and the waiter is ready already.
    if (p.idle != &self) return;
    p.idle = nullptr;
    self.cancelled_ = true;
    p.queue->push(self);
}

result<void> idle_wait::await_resume() noexcept {
    cancel_hook::unlink();
    if (cancelled_) return failure(fault::cancelled);
    return {};
}

}  // namespace sluice::io
