// Puts engine, door, signals and model together.
#include "sluice/model/serve.hpp"

#include <csignal>
#include <cstdio>
#include <utility>

#include "sluice/model/on_signal.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"

namespace sluice::model {

result<void> serve(std::string_view where, kind which, service what, options o) {
    const auto address = net::address::parse(where);
    if (!address) return failure(address.error());
    auto home = io::make_engine(io::engine_kind::blocking);
    if (!home) return failure(home.error());
    auto door = net::listen(*address, {.share_port = which == kind::event});
    if (!door) return failure(door.error());
    const auto local = net::address::local_of(door->get());
    if (!local) return failure(local.error());
    if (!o.ready) {
        o.ready = [&local] {
            std::fprintf(stderr, "listening on %s\n", local->to_string().c_str());
        };
    }
    std::vector<entrance> entrances;
    entrances.push_back({.door = std::move(*door), .serve = std::move(what)});
    auto made = make(which, **home, std::move(entrances), std::move(o));
    if (!made) return failure(fault::unsupported);
    const auto stop = [&made] { (*made)->stop(); };
    const on_signal interrupt{**home, SIGINT, stop};
    const on_signal terminate{**home, SIGTERM, stop};
    return (*made)->run();
}

}  // namespace sluice::model
