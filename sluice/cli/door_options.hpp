// Options of how a server is reached and found: its Unix sockets, and its pid file.
#pragma once

#include <sys/types.h>

#include <string>

#include <CLI/CLI.hpp>

#include "sluice/net/unix_listener.hpp"

namespace sluice::cli {

/// Values of --socket-mode, --socket-group and --pid-file.
struct door_options {
    net::unix_permissions sockets;
    std::string pid_file;  ///< a path; empty: none
};

/// Adds them to a command, in that group of its help. `into` must outlive the parsing.
void add_door_options(CLI::App& command, door_options& into, const std::string& group);

}  // namespace sluice::cli
