// Implements the conversation with a door.
#include "fuzz/door.hpp"

#include <chrono>
#include <utility>
#include <vector>

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
