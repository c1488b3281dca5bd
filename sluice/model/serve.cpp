// Implements serve(): makes the engine, the listener and the model, and handles signals.
#include "sluice/model/serve.hpp"

#include <csignal>
#include <cstdio>
#include <utility>

#include "sluice/io/make_engine.hpp"
#include "sluice/io/signal_handler.hpp"
#include "sluice/model/make.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"

namespace sluice::model {

result<void> serve(std::string_view where, kind which, service handler, server_options o) {
    const auto address = net::address::parse(where);
    if (!address) return failure(address.error());
    auto engine = io::make_engine(io::engine_kind::blocking);
    if (!engine) return failure(engine.error());
    auto listener = net::listen(*address, {.share_port = which == kind::event});
    if (!listener) return failure(listener.error());
    const auto local = net::address::local_of(listener->get());
    if (!local) return failure(local.error());
    if (!o.ready) {
        o.ready = [&local] {
            std::fprintf(stderr, "listening on %s\n", local->to_string().c_str());
        };
    }
    std::vector<endpoint> endpoints;
    endpoints.push_back({.listener = std::move(*listener), .serve = std::move(handler)});
    auto made = make(which, **engine, std::move(endpoints), std::move(o));
    if (!made) return failure(fault::unsupported);
    const auto stop = [&made](unsigned times) {
        for (; times > 0; --times) (*made)->stop();
    };
    const io::signal_handler interrupt{**engine, SIGINT, stop};
    const io::signal_handler terminate{**engine, SIGTERM, stop};
    return (*made)->run();
}

}  // namespace sluice::model
