// A door: a service on a simulated kernel, and a client of it that says what a fuzz target gives.
#pragma once

#include <functional>
#include <string>

#include "fuzz/input.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/model/session.hpp"
#include "sluice/sim/process.hpp"
#include "tests/worlds/server.hpp"
#include "tests/worlds/stage.hpp"
#include "tests/worlds/waiting.hpp"

namespace sluice::fuzz {

/// The most pieces that a client of a door sends. All of them arrive within 15 ms, so that no pause
/// ends a message (wire::first_pause).
inline constexpr std::size_t most_pieces = 64;

/// Runs `direct` as the director of a world in which nothing goes wrong. The same each time.
void play(const std::function<void(worlds::stage&)>& direct);

/// A connection to worlds::usual_port; waits until a server listens there.
[[nodiscard]] worlds::plain_client connect();

/// Sends the pieces of `says` one by one and ends its side. Returns all that the server has sent
/// until it ended, too, without answers to a telnet's timing marks. A server that does not end
/// fails.
[[nodiscard]] std::string converse(worlds::stage& s, worlds::plain_client& client,
                                   const stream& says);

/// Serves `door` at worlds::usual_port until SIGTERM: the main function of a server process.
void serve(worlds::stage& s, worlds::door door);

/// What a server says, piece by piece, as far as the client takes it.
[[nodiscard]] coro::task<void> say(model::session& client, const stream& said);

/// Waits until `client` has ended and leaves nothing open, and stops `server`, which leaves nothing
/// open either.
void end_both(worlds::stage& s, sim::process& client, sim::process& server);

/// Runs `client`, the main function of a process, beside a server that says `said` to each that
/// connects, listens until it ends its side, and closes then: earlier, what it had to say might
/// come too late or not.
void let_hear(const stream& said, const std::function<void()>& client);

/// What a client that says `says` hears from a server process that runs `server`. It stops after
/// that, and leaves nothing open.
[[nodiscard]] std::string ask(const std::function<void(worlds::stage&)>& server,
                              const stream& says);

}  // namespace sluice::fuzz
