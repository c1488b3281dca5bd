// An epoll engine that runs within the waits of a blocking engine, on the same thread.
#pragma once

#include <memory>

#include "sluice/base/result.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/engines/blocking.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::io {

/// For coroutines beside the one that a blocking engine runs, in a process that may have no second
/// thread. They run while the thread waits in the outer engine, and must not take long: what it
/// waits for waits for them. Nothing may be posted to the inner engine by another thread but what
/// wakes it (engine::post). Made and destroyed on the thread of both, while neither runs.
class inner_engine : timer {
 public:
    /// `outer` outlives it, and watches nothing else. The errno of epoll_create1(2).
    [[nodiscard]] static result<std::unique_ptr<inner_engine>> create(blocking_engine& outer,
                                                                      engine_options o);
    inner_engine(const inner_engine&) = delete;
    inner_engine& operator=(const inner_engine&) = delete;
    ~inner_engine();

    [[nodiscard]] io::engine& engine() noexcept { return *inner_; }
    /// Runs what is ready: call it after a coroutine was begun or cancelled from outside.
    void run() noexcept;

 private:
    inner_engine(blocking_engine& outer, std::unique_ptr<io::engine> inner, int fd) noexcept;

    blocking_engine& outer_;
    std::unique_ptr<io::engine> inner_;
};

}  // namespace sluice::io
