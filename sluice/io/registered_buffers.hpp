// Registered buffers of io_uring, which the kernel may read after the send that used them is over.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/os/mapping.hpp"

namespace sluice::io {

class op;
class registered_buffer;
class ring;
struct engine_counters;

/// The buffers of one io_uring engine for reading, writing and sending in large pieces. The first
/// `count` are registered with the ring when they are first taken (io_uring_register(2),
/// IORING_REGISTER_BUFFERS_UPDATE) and stay pinned from then on; when all of those are in use,
/// take() returns unregistered ones. The notification of a zero-copy send comes when the peer has
/// acknowledged the data: the buffer waits for it, the operation does not, and take() returns no
/// buffer that the kernel still reads. One thread.
class registered_pool {
 public:
    struct options {
        std::uint32_t count = 16;  ///< registered ones; they count against RLIMIT_MEMLOCK
        std::uint32_t most = 256;  ///< including unregistered ones
        std::uint32_t size = std::uint32_t{256} << 10;  ///< bytes per buffer
    };

    /// Throws std::bad_alloc; aborts on options out of range. `of` is open when the first buffer
    /// is taken, and closed before this dies.
    registered_pool(ring& of, options o, engine_counters& counters);
    registered_pool(const registered_pool&) = delete;
    registered_pool& operator=(const registered_pool&) = delete;
    /// Memory that the kernel still sends is pinned, and outlives the mapping.
    ~registered_pool();

    /// A buffer that is not held and has no pending notification. ENOBUFS when there are `most`;
    /// ENOMEM.
    [[nodiscard]] result<registered_buffer> take() noexcept;

    /// Buffers that are held, or that have a pending notification.
    [[nodiscard]] std::uint32_t leased() const noexcept { return leased_; }
    [[nodiscard]] const options& limits() const noexcept { return options_; }

    /// For the engine: `sender` is submitted with buffer `id`.
    void begin_send(int id, op& sender) noexcept;
    /// For the engine: the result of the send from buffer `id` has come, and a notification follows
    /// or not. Returns the sender.
    [[nodiscard]] op& result_came(int id, bool notification_follows) noexcept;
    /// For the engine: the kernel has released the memory of one send from buffer `id`.
    void notification_came(int id) noexcept;

 private:
    friend class registered_buffer;
    friend class idle_wait;

    struct entry {
        mapping memory;
        op* sender = nullptr;             // in flight with this memory
        coro::resumable* idle = nullptr;  // waits until no notification is pending
        coro::ready_queue* queue = nullptr;
        std::int32_t notifications = 0;  // pending; one may come before its result
        std::int32_t next = -1;          // in a free list
        bool held = false;
        bool registered = false;
    };
    [[nodiscard]] entry& at(int id) noexcept { return entries_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] const entry& at(int id) const noexcept {
        return entries_[static_cast<std::size_t>(id)];
    }
    [[nodiscard]] bool idle(int id) const noexcept {
        return at(id).sender == nullptr && at(id).notifications == 0;
    }
    [[nodiscard]] bool may_register(int id) const noexcept {
        return static_cast<std::uint32_t>(id) < options_.count;
    }
    void give_back(int id) noexcept;
    void put_back(int id) noexcept;
    void notify_if_idle(int id) noexcept;
    void register_buffer(int id) noexcept;

    ring& ring_;
    options options_;
    engine_counters& counters_;
    std::vector<entry> entries_;
    std::int32_t free_ = -1;               // first buffer that may be registered
    std::int32_t free_unregistered_ = -1;  // first buffer that may not
    std::uint32_t leased_ = 0;
    bool table_made_ = false;
    bool refused_ = false;  // the kernel registers no more
};

/// Awaiter of buffer.idle(): nothing, or fault::cancelled.
class [[nodiscard]] idle_wait : coro::cancel_hook, coro::resumable {
 public:
    idle_wait(registered_pool& pool, int id) noexcept
        : cancel_hook{&on_cancel}, pool_{pool}, id_{id} {}
    idle_wait(const idle_wait&) = delete;
    idle_wait& operator=(const idle_wait&) = delete;
    ~idle_wait() {
        if (has_waiter() && pool_.at(id_).idle == this) pool_.at(id_).idle = nullptr;
        resumable::unlink();
    }

    [[nodiscard]] bool await_ready() const noexcept { return pool_.idle(id_); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        return begin(h, h.promise().current_context());
    }
    [[nodiscard]] result<void> await_resume() noexcept;

 private:
    bool begin(std::coroutine_handle<> h, coro::context& current) noexcept;
    static void on_cancel(cancel_hook& hook) noexcept;

    registered_pool& pool_;
    int id_;
    bool cancelled_ = false;
};

/// A leased buffer of a registered_pool. Returned when it dies, or when its last pending
/// notification has come, whichever is later; on the pool's thread, before the pool dies. Empty
/// when moved from.
class registered_buffer {
 public:
    registered_buffer() noexcept = default;
    registered_buffer(registered_pool& pool, int id) noexcept : pool_{&pool}, id_{id} {}
    registered_buffer(registered_buffer&& other) noexcept
        : pool_{std::exchange(other.pool_, nullptr)}, id_{other.id_} {}
    registered_buffer& operator=(registered_buffer&& other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(id_, other.id_);
        return *this;
    }
    registered_buffer(const registered_buffer&) = delete;
    registered_buffer& operator=(const registered_buffer&) = delete;
    ~registered_buffer() {
        if (pool_ != nullptr) pool_->give_back(id_);
    }

    /// All of it. Do not write to it before it is idle.
    [[nodiscard]] mutable_bytes bytes() const noexcept {
        const mapping& memory = pool_->at(id_).memory;
        return {static_cast<std::byte*>(memory.data()), memory.size()};
    }
    /// Its number in the pool.
    [[nodiscard]] int id() const noexcept { return id_; }
    /// Its index in the ring's table, or -1: it is not registered.
    [[nodiscard]] int index() const noexcept { return pool_->at(id_).registered ? id_ : -1; }
    /// True while the kernel reads none of it.
    [[nodiscard]] bool is_idle() const noexcept { return pool_->idle(id_); }
    /// Waits until the kernel reads none of it. One waiter at a time.
    [[nodiscard]] idle_wait idle() noexcept { return {*pool_, id_}; }

 private:
    registered_pool* pool_ = nullptr;
    int id_ = -1;
};

}  // namespace sluice::io
