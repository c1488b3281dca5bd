// run() and try_run(): run a coroutine on an engine from a plain function.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"

namespace sluice::io {

/// Runs `main` in `root` until it ends, on the engine's thread. Cancelling `root` (from a
/// coroutine, or by a message from another thread) cancels its waits. ENOMEM if there was no memory
/// for it to begin, or to continue.
[[nodiscard]] inline result<void> try_run(engine& e, coro::task<void> main,
                                          coro::context& root) noexcept {
    coro::scope children{root};
    if (auto begun = children.spawn(std::move(main)); !begun) return begun;
    check(!e.blocks() || children.size() == 0,
          "a coroutine waits for another one on the blocking engine, which runs one at a time");
    while (children.size() > 0) e.run_once(never);
    if (children.lacked_memory()) return failure_of(ENOMEM);
    return {};
}

/// The same, but aborts if there is no memory.
inline void run(engine& e, coro::task<void> main, coro::context& root) noexcept {
    check(try_run(e, std::move(main), root).has_value(), "no memory for the first coroutine");
}

namespace detail {
template <class T>
coro::task<void> keep_result(coro::task<T> main, std::optional<T>& out) {
    out.emplace(co_await main);
}
}  // namespace detail

/// The same with a value. Without memory, ENOMEM if T is a result; otherwise aborts.
template <class T>
    requires(!std::is_void_v<T>)
[[nodiscard]] T run(engine& e, coro::task<T> main, coro::context& root) noexcept {
    std::optional<T> out;
    auto ran = try_run(e, detail::keep_result(std::move(main), out), root);
    if constexpr (is_result<T>) {
        if (!out) return failure(ran.error());
    }
    check(out.has_value(), "no memory for the first coroutine");
    return std::move(*out);
}

/// The same in its own root context, which is never cancelled.
template <class T>
T run(engine& e, coro::task<T> main) noexcept {
    coro::context root{e.ready()};
    return run(e, std::move(main), root);
}

}  // namespace sluice::io
