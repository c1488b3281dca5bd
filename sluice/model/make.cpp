// Implements make(): which model serves under which name.
#include "sluice/model/make.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sluice/io/make_engine.hpp"
#include "sluice/model/event.hpp"
#include "sluice/model/fork.hpp"
#include "sluice/model/pool.hpp"
#include "sluice/model/sync.hpp"
#include "sluice/model/thread.hpp"

namespace sluice::model {

std::expected<std::unique_ptr<server>, std::string> make(kind which, io::engine& engine,
                                                         std::vector<endpoint> endpoints,
                                                         server_options o) {
    const auto keeps_state = [](const endpoint& e) { return static_cast<bool>(e.state); };
    if (which != kind::event && std::ranges::any_of(endpoints, keeps_state)) {
        return std::unexpected{fmt::format(
            "the model {} has no shards for a service that keeps state on them; use event",
            to_text(which))};
    }
    switch (which) {
        case kind::sync: return std::make_unique<sync>(engine, std::move(endpoints), std::move(o));
        case kind::fork: return fork::make(engine, std::move(endpoints), std::move(o));
        case kind::thread:
            return std::make_unique<thread>(engine, std::move(endpoints), std::move(o));
        case kind::pool: return std::make_unique<pool>(engine, std::move(endpoints), std::move(o));
        case kind::event:
            if (o.engine == io::engine_kind::blocking) o.engine = io::automatic_engine().kind;
            return std::make_unique<event>(engine, std::move(endpoints), std::move(o));
    }
    return std::unexpected{"there is no such model"};
}

}  // namespace sluice::model
