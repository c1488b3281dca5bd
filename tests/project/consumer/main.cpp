// Uses an installed sluice as a stranger does: calls a port where nothing listens.
#include <cstdio>

#include "sluice/io.hpp"

namespace {

sluice::coro::task<> call(sluice::io::engine& engine) {
    const auto where = sluice::net::address::parse("127.0.0.1:1").value();
    const auto socket = co_await sluice::net::dial(engine, where);
    std::printf("%s\n", socket ? "connected" : socket.error().message().c_str());
}

}  // namespace

int main() {
    const auto engine = sluice::io::make_engine(sluice::io::engine_kind::blocking);
    if (!engine) return 1;
    sluice::io::run(**engine, call(**engine));
    return 0;
}
