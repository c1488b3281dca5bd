// Threads for what can only block, made when a loop first needs them.
#pragma once

#include <cerrno>
#include <cstddef>
#include <exception>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/offload.hpp"

namespace sluice::files {

/// An offload pool that does not exist before somebody needs it, so that no process has its threads
/// when it forks. Any thread.
class late_pool {
 public:
    explicit late_pool(std::size_t workers) noexcept : workers_{workers} {}

    /// Nobody, where not one thread can be had.
    [[nodiscard]] io::offload_pool* get() noexcept {
        const std::lock_guard lock{mutex_};
        if (pool_) return &*pool_;
        try {
            pool_.emplace(io::offload_pool::options{.workers = workers_, .queue = most_waiting});
        } catch (const std::exception&) {  // std::system_error or std::bad_alloc
            return nullptr;
        }
        return &*pool_;
    }
    /// What `f` returns, a result: in place where the engine works so, else on a thread of the
    /// pool's. EAGAIN where there is none.
    template <class F>
    [[nodiscard]] coro::task<std::invoke_result_t<F&>> run(io::engine& here, F f) {
        if (here.works_in_place()) co_return f();
        io::offload_pool* const pool = get();
        if (pool == nullptr) co_return failure_of(EAGAIN);
        auto done = co_await pool->run(here, std::move(f));
        if (!done) co_return failure(done.error());
        co_return std::move(*done);
    }

 private:
    static constexpr std::size_t most_waiting = 100'000;

    std::size_t workers_;
    std::mutex mutex_;
    std::optional<io::offload_pool> pool_;
};

/// Who waits for a disk needs no core; a few keep it busy.
inline constexpr std::size_t disk_workers = 4;
/// Who burns a core for seconds: more would only share the cores.
inline constexpr std::size_t cpu_workers = 2;

}  // namespace sluice::files
