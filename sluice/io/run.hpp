// Runs one coroutine on an engine, from a function that is none.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"

namespace sluice::io {

/// Runs `main` in `root` until it ends, on the engine's thread. Cancelling `root` (from a
/// coroutine, or by a letter from another thread) ends what it waits for. Aborts if there is no
/// memory for the first coroutine.
inline void run(engine& e, coro::task<void> main, coro::context& root) noexcept {
    coro::scope everything{root};
    check(everything.spawn(std::move(main)).has_value(), "no memory for the first coroutine");
    check(!e.blocks() || everything.size() == 0,
          "a coroutine waits for another one on the blocking engine, where none can come");
    while (everything.size() > 0) e.run_once(never);
}

namespace detail {
template <class T>
coro::task<void> keep_result(coro::task<T> main, std::optional<T>& out) {
    out.emplace(co_await main);
}
}  // namespace detail

/// The same with a result.
template <class T>
    requires(!std::is_void_v<T>)
[[nodiscard]] T run(engine& e, coro::task<T> main, coro::context& root) noexcept {
    std::optional<T> out;
    run(e, detail::keep_result(std::move(main), out), root);
    return std::move(*out);
}

/// The same in a root of its own, which nothing cancels.
template <class T>
T run(engine& e, coro::task<T> main) noexcept {
    coro::context root{e.ready()};
    return run(e, std::move(main), root);
}

}  // namespace sluice::io
