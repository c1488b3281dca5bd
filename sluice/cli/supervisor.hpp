// A small process beside a server, which starts its successor and removes its files.
#pragma once

#include <sys/types.h>

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::cli {

/// A process that is forked before the server gives up its rights, opens anything or starts a
/// thread, and ends with the server. A server in its sandbox can neither start a program nor remove
/// a file: it asks the supervisor, which has the rights, the directory and the environment that the
/// server began with, and nothing else of it: no socket, until an upgrade, and no secret.
///
/// It does two things. At the end of the server, however it ends, it removes the files that it was
/// told of: those of Unix sockets, and the pid file, if they are still the same files; the pid file
/// of a successor it puts in the place of the one before, once the successor serves. And it
/// starts the program again, by the path and the arguments of the start, with the sockets that it
/// is handed (inherited_sockets), and says what came of it. A server that an attacker controls can
/// have it do no more than that: it takes no names of files once the server is in its sandbox.
///
/// Without one, if there is no process or descriptor to be had, files stay and there is no upgrade.
/// One thread uses it.
class supervisor {
 public:
    /// A socket to hand over, with the name of its door.
    struct handed {
        int socket;
        std::string door;
        bool removes_file;
    };
    /// What came of a successor: its process, or why there is none, a sentence without its full
    /// stop.
    using outcome = std::expected<pid_t, std::string>;

    /// Forks it. While the process has one thread.
    void start() noexcept;

    /// Removes the file at the end, if it is still the one that lies there now. Before seal().
    void remove_at_end(std::string_view path) noexcept;
    /// Renames the file `made` to `path`, in the same directory, at confirm(), and removes it at
    /// the end as the one above. Without confirm() it removes `made`. False if it will not, for
    /// there is no supervisor. Before seal().
    [[nodiscard]] bool place_at_confirmation(std::string_view made, std::string_view path) noexcept;
    /// It removes nothing else before confirm(): until this process serves, the files are those of
    /// the server before.
    void wait_for_confirmation() noexcept;
    /// Waits up to a second until the files are in their places. The error is of rename(2), or
    /// fault::timed_out.
    [[nodiscard]] result<void> confirm() noexcept;
    /// It takes no more files.
    void seal() noexcept;
    /// Starts a successor. outcome() follows. The error is a sentence without its full stop.
    [[nodiscard]] std::expected<void, std::string> start_successor(std::span<const handed> sockets);
    /// What came of the successor, once that is known. If it serves, it has the files, too.
    [[nodiscard]] std::optional<outcome> poll_successor() noexcept;
    /// Ends it, and waits up to a second until the files are removed.
    void end() noexcept;

 private:
    void tell(char what) noexcept;
    /// False if the supervisor does not know of it then.
    [[nodiscard]] bool tell_of_file(std::string_view path, std::string_view place) noexcept;

    unique_fd socket_;
    bool places_files_ = false;  // at confirm()
};

/// The supervisor of this process.
[[nodiscard]] supervisor& server_supervisor() noexcept;

}  // namespace sluice::cli
