// The main function: runs the command line, and checks the output.
#include <cerrno>
#include <csignal>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/run_program.hpp"
#include "sluice/os/signal_action.hpp"

namespace {

using sluice::cli::exit_status;

/// Output that stdout did not take makes `status` a failure: a full disk must not look like
/// success. Reports it, unless the reader is gone (EPIPE).
exit_status check_output(exit_status status) {
    const int code = sluice::cli::finish_output();
    if (code == 0) return status;
    if (code != EPIPE) {
        sluice::cli::show_on_stderr("sluice: cannot write to standard output: " +
                                    sluice::error::system(code).message() + '\n');
    }
    return status == exit_status::done ? exit_status::failed : status;
}

}  // namespace

int main(int count, char** words) {
    // A peer or a pager that goes away must fail the write, not end the process.
    sluice::os::set_signal_action(SIGPIPE, SIG_IGN);
    try {
        const std::vector<std::string> arguments(words + (count > 0 ? 1 : 0), words + count);
        return static_cast<int>(check_output(sluice::cli::run_program(arguments)));
    } catch (const std::bad_alloc&) {
        sluice::cli::show_on_stderr("sluice: cannot go on: there is no memory left\n");
        return static_cast<int>(exit_status::failed);
    } catch (const std::exception& problem) {
        sluice::cli::show_on_stderr(std::string{"sluice: "} + problem.what() + '\n');
        return static_cast<int>(exit_status::failed);
    }
}
