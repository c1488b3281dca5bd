// The exit statuses of the program.
#pragma once

namespace sluice::cli {

enum class exit_status : int {
    done = 0,
    failed = 1,
    usage = 2,          ///< the command line, the environment or the configuration is wrong
    unreachable = 3,    ///< the peer could not be reached, or went away
    corrupted = 4,      ///< the bytes that arrived differ from those that were sent
    interrupted = 130,  ///< Ctrl-C: 128 and the number of the signal, as shells have it
};

}  // namespace sluice::cli
