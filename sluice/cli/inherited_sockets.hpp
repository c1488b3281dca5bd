// Listening sockets that another process has opened: a service manager, or the server before.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/os/fd.hpp"

namespace sluice::cli {

/// The name of a door by the flag of its address: without dashes, and without `.listen` for a
/// further service of a kind in `sluice serve`: chat, files.docs.http, chat.team.
[[nodiscard]] std::string_view door_of(std::string_view flag) noexcept;

/// A door of a command: its name, and where the value of its address lies.
struct door_address {
    std::string name;
    std::string* where;
};

/// The sockets that LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES tell of (sd_listen_fds(3)).
///
/// Those that are called like a door are its own, several if it has several. Those of other names
/// go to the doors that got none, one to each, in the order of the doors: a manager that was told
/// no name makes one up. A server that hands over to this one marks the files of Unix sockets that
/// are to be removed at the end, and adds a socket that is told when this one serves.
class inherited_sockets {
 public:
    struct one {
        unique_fd socket;
        bool removes_file = false;  ///< a Unix socket, whose file goes with the last server
    };
    static constexpr char file_mark = '*';  ///< behind the name
    static constexpr std::string_view successor_name = "sluice-ready";

    /// Takes them, and removes the variables from the environment, for the programs that this
    /// process starts. While the process has one thread, before it opens any descriptor.
    void take_from_environment();

    /// Gives them to the doors, and sets the addresses of the doors that have some. The error is a
    /// sentence without its full stop.
    [[nodiscard]] std::expected<void, std::string> assign(const std::vector<door_address>& doors);
    /// Whether some were given by that very name, taken or not.
    [[nodiscard]] bool has(std::string_view door) const noexcept;
    /// The sockets of a door, once.
    [[nodiscard]] std::vector<one> take(std::string_view door);

    /// Whether this process takes the place of a server that drains once this one serves.
    [[nodiscard]] bool is_successor() const noexcept { return static_cast<bool>(before_); }
    /// Tells that server, if there is one.
    void tell_ready() noexcept;

 private:
    struct named {
        std::string name;
        one given;
    };
    std::vector<named> all_;
    std::vector<std::string> names_;  // as they were given
    unique_fd before_;
};

/// Those of this process.
[[nodiscard]] inherited_sockets& inherited() noexcept;

}  // namespace sluice::cli
