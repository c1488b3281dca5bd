// Implements inner_engine: the outer engine polls the epoll instance, and keeps the next timer.
#include "sluice/io/inner_engine.hpp"

#include <utility>

#include "sluice/io/engines/epoll.hpp"

namespace sluice::io {
namespace {

// Before the outer engine looks at what its own thread waits for.
constexpr int turns_of_the_inner_engine = 64;

}  // namespace

result<std::unique_ptr<inner_engine>> inner_engine::create(blocking_engine& outer,
                                                           engine_options o) {
    o.in_place = true;
    auto inner = epoll_engine::create(o);
    if (!inner) return failure(inner.error());
    const int fd = static_cast<const epoll_engine&>(**inner).fd();
    return std::unique_ptr<inner_engine>{new inner_engine{outer, std::move(*inner), fd}};
}

inner_engine::inner_engine(blocking_engine& outer, std::unique_ptr<io::engine> inner,
                           int fd) noexcept
    : timer{[](timer& t) noexcept { static_cast<inner_engine&>(t).run(); }},
      outer_{outer},
      inner_{std::move(inner)} {
    outer_.watch(fd, [this] { run(); });
}

inner_engine::~inner_engine() {
    outer_.watch(-1, {});
    outer_.timers().disarm(*this);
}

void inner_engine::run() noexcept {
    outer_.timers().disarm(*this);
    for (int left = turns_of_the_inner_engine; left > 0; --left) {
        inner_->run_once(time_point::min());
        if (!inner_->is_busy()) break;
    }
    outer_.timers().arm(*this, inner_->is_busy() ? clock::now() : inner_->timers().next());
}

}  // namespace sluice::io
