// Runs one coroutine on an engine, from a function that is none.
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
/// coroutine, or by a letter from another thread) ends what it waits for. ENOMEM if there was no
/// memory for it to begin, or to go on.
[[nodiscard]] inline result<void> try_run(engine& e, coro::task<void> main,
                                          coro::context& root) noexcept {
    coro::scope everything{root};
    if (auto begun = everything.spawn(std::move(main)); !begun) return begun;
    check(!e.blocks() || everything.size() == 0,
          "a coroutine waits for another one on the blocking engine, where none can come");
    while (everything.size() > 0) e.run_once(never);
    if (everything.lacked_memory()) return failure_of(ENOMEM);
    return {};
}

/// The same for what has no caller to tell: aborts where there is no memory.
inline void run(engine& e, coro::task<void> main, coro::context& root) noexcept {
    check(try_run(e, std::move(main), root).has_value(), "no memory for the first coroutine");
}

namespace detail {
template <class T>
coro::task<void> keep_result(coro::task<T> main, std::optional<T>& out) {
    out.emplace(co_await main);
}
}  // namespace detail

/// The same with a result, whose error that ENOMEM is. Aborts where it has none.
template <class T>
    requires(!std::is_void_v<T>)
[[nodiscard]] T run(engine& e, coro::task<T> main, coro::context& root) noexcept {
    std::optional<T> out;
    auto ran = try_run(e, detail::keep_result(std::move(main), out), root);
    if constexpr (coro::is_result<T>) {
        if (!out) return failure(ran.error());
    }
    check(out.has_value(), "no memory for the first coroutine");
    return std::move(*out);
}

/// The same in a root of its own, which nothing cancels.
template <class T>
T run(engine& e, coro::task<T> main) noexcept {
    coro::context root{e.ready()};
    return run(e, std::move(main), root);
}

}  // namespace sluice::io
