// Implements make_engine() and automatic_engine() over the engines of io/engines.
#include "sluice/io/make_engine.hpp"

#include <cerrno>
#include <new>

#include "sluice/io/engines/blocking.hpp"
#include "sluice/io/engines/epoll.hpp"
#include "sluice/io/engines/uring.hpp"
#include "sluice/io/engines/uring_probe.hpp"

namespace sluice::io {

const engine_choice& automatic_engine() {
    static const engine_choice choice = [] {
        const uring_support support = probe_uring();
        if (support.usable) return engine_choice{.kind = engine_kind::uring, .reason = {}};
        return engine_choice{.kind = engine_kind::epoll, .reason = support.why_not};
    }();
    return choice;
}

result<std::unique_ptr<engine>> make_engine(engine_kind kind, const engine_options& o) noexcept {
    try {
        switch (kind) {
            case engine_kind::blocking: return blocking_engine::create(o);
            case engine_kind::epoll: return epoll_engine::create(o);
            case engine_kind::uring: return uring_engine::create(o);
        }
    } catch (const std::bad_alloc&) {
        return failure_of(ENOMEM);
    }
    return failure(fault::unsupported);
}

}  // namespace sluice::io
