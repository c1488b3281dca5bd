// Implements the conversation with a door.
#include "fuzz/door.hpp"

#include <chrono>
#include <utility>
#include <vector>

#include "sluice/io/deadline.hpp"
#include "sluice/os/thread.hpp"
#include "sluice/sim/world.hpp"
#include "sluice/wire/telnet.hpp"

namespace sluice::fuzz {
namespace {

using namespace std::chrono_literals;

// Longer than any server waits for its client.
constexpr auto patience = 10min;

/// `text` without the answers to a telnet that asks for timing marks: what it asks for twice in one
/// read is answered once.
std::string without_marks(std::string text) {
    for (auto at = text.find(wire::timing_mark()); at != std::string::npos;
         at = text.find(wire::timing_mark(), at)) {
        text.erase(at, wire::timing_mark().size());
    }
    return text;
}

coro::task<void> say_and_listen(model::session& client, const stream& said) {
    co_await say(client, said);
    for (;;) {
        auto got = co_await client.recv();
        if (!got || got->empty()) co_return;
    }
}

}  // namespace

void play(const std::function<void(worlds::stage&)>& direct) {
    const worlds::setting how;
    sim::world w{{.seed = how.seed, .faults = sim::fault_rates{}}};
    worlds::stage s{w.kernel(), how};
    s.start("director", [&] {
        direct(s);
        w.kernel().scheduler().stop();
    });
    w.run();
}

worlds::plain_client connect() {
    for (;;) {
        if (auto made = worlds::plain_client::connect(worlds::usual_port, patience)) {
            return std::move(*made);
        }
        worlds::wait_a_while();
    }
}

std::string converse(worlds::stage& s, worlds::plain_client& client, const stream& says) {
    std::string heard;
    // A server need not read on while nobody reads what it says.
    os::thread reader;
    const auto started = reader.start([&]() noexcept {
        for (;;) {
            const auto more = client.some();
            if (!more || more->empty()) return;
            heard += *more;
        }
    });
    worlds::stage::require(started.has_value(), "no thread");
    pieces sent{says, most_pieces};
    for (auto piece = sent.next(); !piece.empty(); piece = sent.next()) {
        if (!client.send(piece)) break;
        s.pass(200us);
    }
    client.shut();
    reader.join();
    return without_marks(std::move(heard));
}

void serve(worlds::stage& s, worlds::door door) {
    door.port = worlds::usual_port;
    worlds::serve(s, {}, {door});
}

coro::task<void> say(model::session& client, const stream& said) {
    pieces says{said, most_pieces};
    for (auto piece = says.next(); !piece.empty(); piece = says.next()) {
        auto sent = co_await client.peer().send_all(piece);
        if (!sent) co_return;
        auto slept = co_await io::sleep_for(client.engine(), 200us);
        if (!slept) co_return;
    }
}

void end_both(worlds::stage& s, sim::process& client, sim::process& server) {
    s.within(patience, "the client ends", [&] { return client.over(); });
    worlds::stage::require(client.open_descriptors() == 0, "it leaves a descriptor open");
    worlds::stop_and_check(s, server, {});
}

void let_hear(const stream& said, const std::function<void()>& client) {
    play([&](worlds::stage& s) {
        sim::process& server = s.start("server", [&] {
            serve(s, {.serve = [&](auto& from) { return say_and_listen(from, said); }});
        });
        // A client does not wait for a server that is not there yet.
        connect().reset();
        end_both(s, s.start("client", client), server);
    });
}

std::string ask(const std::function<void(worlds::stage&)>& server, const stream& says) {
    std::string heard;
    play([&](worlds::stage& s) {
        sim::process& serving = s.start("server", [&] { server(s); });
        auto client = connect();
        heard = converse(s, client, says);
        worlds::stop_and_check(s, serving, {});
    });
    return heard;
}

}  // namespace sluice::fuzz
