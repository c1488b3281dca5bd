// Shard: a thread with its own engine, timers, buffers and mailbox; it shares nothing.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/os/thread.hpp"

namespace sluice::io {

/// A thread that runs one coroutine and its children on its own engine. In a server, that coroutine
/// opens the shard's own listener with SO_REUSEPORT (net/listener.hpp). Other threads reach it by
/// stop() and engine::post (io::call_on).
class shard {
 public:
    /// Options of a shard.
    struct options {
        engine_kind kind = engine_kind::epoll;  ///< of its engine
        engine_options engine;                  ///< of its engine
        std::optional<int> cpu;  ///< pins the thread to this core (sched_setaffinity(2))
    };
    /// The thread's coroutine. The thread ends with it; `stop` cancels its context.
    using entry = std::function<coro::task<void>(engine&)>;

    /// Starts the thread and waits until its engine is ready. The errno of making the engine or of
    /// os::thread::start().
    [[nodiscard]] static result<std::unique_ptr<shard>> start(options o, entry run);
    shard(const shard&) = delete;
    shard& operator=(const shard&) = delete;
    /// Stops and joins.
    ~shard();

    /// Any thread, any number of times: cancels the shard's coroutine.
    void stop() noexcept;
    /// Waits for the thread's end. One thread, once.
    void join() noexcept;
    /// For posting messages. Valid until join() or the destructor returns.
    [[nodiscard]] io::engine& engine() noexcept { return *engine_; }

 private:
    shard() noexcept;
    void work(const options& o, const entry& run, std::function<void(result<void>)> started);

    struct stop_message : message {
        explicit stop_message(shard& s) noexcept;
        shard& owner;
        bool delivered = false;
    };

    os::thread thread_;
    std::unique_ptr<io::engine> engine_;
    coro::context* root_ = nullptr;
    stop_message stop_;
    std::atomic<bool> stop_sent_ = false;
};

}  // namespace sluice::io
