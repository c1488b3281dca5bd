// The login of doors that take lines: the server asks who it is, the client says so in a line.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/auth/authenticator.hpp"
#include "sluice/auth/credentials.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/net/connection.hpp"

namespace sluice::auth {

/// The server's first line to a client that has to say who it is; with its end, and without.
inline constexpr std::string_view question_line =
    "* who are you? say: login NAME PASSWORD, or: login TOKEN\n";
inline constexpr std::string_view question = question_line.substr(0, question_line.size() - 1);
/// What its answer begins with to those who may come in; all other answers say why not.
inline constexpr std::string_view welcome = "* welcome, ";

/// A door that asks who a client is.
struct line_door {
    authenticator* who = nullptr;  ///< outlives the connections; null: no client is asked
    std::function<bool(const identity&)> admits = {};  ///< whether its rights are enough
    std::string_view purpose = {};                     ///< "talk in the chat"; static
    io::duration timeout = std::chrono::seconds{30};   ///< for the whole line
};

/// A client that was turned away.
struct turned_away {
    std::string_view why;                      ///< in a few words, for a log; static
    std::shared_ptr<const identity> who = {};  ///< whom it has proved to be; null: not known
};
/// Who a client is that may come in, never null; or what became of it.
using admission = std::expected<std::shared_ptr<const identity>, turned_away>;

/// Asks a client at the address `from`, before anything was received from it, and takes its line
/// but no byte behind it. Clients that may come in by the name that their certificate proves, or
/// without any, are not asked. A client that is turned away was told why, if it still reads, and
/// the connection is closed. Broken off when `drain` is cancelled.
[[nodiscard]] coro::task<admission> ask_who(net::connection& client, const net::address& from,
                                            const line_door& door, coro::context& drain);

/// Why a server did not let us in.
struct login_failure {
    std::string what;  ///< a sentence without its full stop
    error why;         ///< EACCES if the server refused; else of the connection
};

/// The client's part: waits for the question, says `given`, and takes the answer, all within
/// `timeout`. Nothing is said where the server does not ask. After an error the connection is of no
/// more use. Before recv() was used.
[[nodiscard]] coro::task<std::expected<void, login_failure>> log_in(net::connection& server,
                                                                    const credentials& given,
                                                                    io::duration timeout);

}  // namespace sluice::auth
