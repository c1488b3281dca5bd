// Implements open_engine() over io::make_engine() and io::probe_uring().
#include "sluice/cli/open_engine.hpp"

#include <fmt/format.h>

#include <utility>

#include "sluice/cli/log.hpp"
#include "sluice/io/engines/uring_probe.hpp"
#include "sluice/io/make_engine.hpp"

namespace sluice::cli {
namespace {

std::string why_no_uring(error refusal) {
    const auto support = io::probe_uring();
    if (support.usable) {
        return fmt::format("io_uring cannot be set up ({}); use --engine epoll", refusal.message());
    }
    return fmt::format("io_uring does not work here: {}; {}, or use --engine epoll",
                       support.why_not, support.remedy);
}

}  // namespace

std::expected<std::unique_ptr<io::engine>, std::string> open_engine(engine_request wanted,
                                                                    const io::engine_options& o) {
    auto kind = io::engine_kind::epoll;
    std::string reason;
    switch (wanted) {
        case engine_request::automatic:
            kind = io::automatic_engine().kind;
            reason = io::automatic_engine().reason;
            break;
        case engine_request::blocking: kind = io::engine_kind::blocking; break;
        case engine_request::epoll: break;
        case engine_request::uring: kind = io::engine_kind::uring; break;
    }
    auto made = io::make_engine(kind, o);
    if (!made && wanted == engine_request::automatic && kind == io::engine_kind::uring) {
        reason = made.error().message();
        made = io::make_engine(io::engine_kind::epoll, o);
    }
    if (made) {
        if (!reason.empty()) {
            announce(fmt::format("io_uring does not work here, so epoll is used: {}", reason));
        }
        return std::move(*made);
    }
    if (wanted == engine_request::uring) return std::unexpected{why_no_uring(made.error())};
    return std::unexpected{
        fmt::format("cannot set up the engine {}: {}", io::to_text(kind), made.error().message())};
}

}  // namespace sluice::cli
