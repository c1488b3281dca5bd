// Buffers that io_uring keeps pinned, and may go on reading when what sent them is over.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "sluice/base/bytes.hpp"
#include "sluice/base/mapping.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/ready_queue.hpp"

struct io_uring;

namespace sluice::io {

class op;
class registered_buffer;
struct engine_counters;

/// The buffers of one io_uring engine for reading, writing and sending in large pieces. The first
/// `count` are registered with the ring when they are first taken (io_uring_register(2),
/// IORING_REGISTER_BUFFERS_UPDATE) and stay pinned from then on; when all of those are in use,
/// others are lent that are not. A zero-copy send owes a note until the peer has acknowledged what
/// was sent: the buffer keeps that debt, the operation does not, and nobody is lent a buffer of
/// which the kernel still reads. One thread.
class registered_pool {
 public:
    struct options {
        std::uint32_t count = 16;  ///< registered ones; they count against RLIMIT_MEMLOCK
        std::uint32_t most = 256;  ///< with those that are not registered
        std::uint32_t size = std::uint32_t{256} << 10;  ///< bytes a buffer
    };

    /// Throws std::bad_alloc, or stops with a sentence on options out of range. `ring` is open when
    /// the first buffer is taken, and closed before this dies.
    registered_pool(io_uring& ring, options o, engine_counters& counters);
    registered_pool(const registered_pool&) = delete;
    registered_pool& operator=(const registered_pool&) = delete;
    /// What the kernel still sends is pinned, and outlives the mapping.
    ~registered_pool();

    /// A buffer that nobody holds and of which nothing is owed. ENOBUFS when there are `most`;
    /// ENOMEM.
    [[nodiscard]] result<registered_buffer> take() noexcept;

    /// Buffers that somebody holds, or of which the kernel still owes a note.
    [[nodiscard]] std::uint32_t lent() const noexcept { return lent_; }
    [[nodiscard]] const options& limits() const noexcept { return options_; }

    /// For the engine: `sender` goes to the kernel with buffer `id`.
    void lend(int id, op& sender) noexcept;
    /// For the engine: the result of what was sent from buffer `id` has come, and `note` says
    /// whether a note will follow. Gives the sender.
    [[nodiscard]] op& result_came(int id, bool note) noexcept;
    /// For the engine: the kernel needs the memory of one send from buffer `id` no longer.
    void note_came(int id) noexcept;

 private:
    friend class registered_buffer;
    friend class idle_wait;

    struct place {
        mapping memory;
        op* sender = nullptr;             // in the kernel with this memory
        coro::resumable* idle = nullptr;  // waits until nothing is owed
        coro::ready_queue* queue = nullptr;
        std::int32_t notes = 0;  // owed; the kernel may send one before the result it belongs to
        std::int32_t next = -1;  // in a free list
        bool held = false;
        bool registered = false;
    };
    [[nodiscard]] place& at(int id) noexcept { return places_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] const place& at(int id) const noexcept {
        return places_[static_cast<std::size_t>(id)];
    }
    [[nodiscard]] bool idle(int id) const noexcept {
        return at(id).sender == nullptr && at(id).notes == 0;
    }
    [[nodiscard]] bool may_register(int id) const noexcept {
        return static_cast<std::uint32_t>(id) < options_.count;
    }
    void give_back(int id) noexcept;
    void put_home(int id) noexcept;
    void tell_idle(int id) noexcept;
    void do_register(int id) noexcept;

    io_uring& ring_;
    options options_;
    engine_counters& counters_;
    std::vector<place> places_;
    std::int32_t free_ = -1;         // first of those that may be registered
    std::int32_t free_others_ = -1;  // first of those that may not
    std::uint32_t lent_ = 0;
    bool table_made_ = false;
    bool refused_ = false;  // the kernel registers no more
};

/// `co_await buffer.idle()`: nothing, or fault::cancelled.
class [[nodiscard]] idle_wait : coro::cancel_hook, coro::resumable {
 public:
    idle_wait(registered_pool& pool, int id) noexcept
        : cancel_hook{&on_cancel}, pool_{pool}, id_{id} {}
    idle_wait(const idle_wait&) = delete;
    idle_wait& operator=(const idle_wait&) = delete;
    ~idle_wait() = default;

    [[nodiscard]] bool await_ready() const noexcept { return pool_.idle(id_); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        return begin(h, h.promise().current_context());
    }
    [[nodiscard]] result<void> await_resume() noexcept;

 private:
    bool begin(std::coroutine_handle<> h, coro::context& here) noexcept;
    static void on_cancel(cancel_hook& hook) noexcept;

    registered_pool& pool_;
    int id_;
    bool cancelled_ = false;
};

/// Memory of a registered_pool on loan. Goes home when it dies, or when the last note that is owed
/// of it has come, whichever is later; on the pool's thread, before the pool dies. Empty when moved
/// from.
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

    /// All of it. Not to be written to before it is idle.
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
    /// Waits until the kernel reads none of it. One at a time.
    [[nodiscard]] idle_wait idle() noexcept { return {*pool_, id_}; }

 private:
    registered_pool* pool_ = nullptr;
    int id_ = -1;
};

}  // namespace sluice::io
