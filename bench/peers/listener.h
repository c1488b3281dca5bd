// The listening socket that the bare C peers share.
#pragma once

/// Listens on 127.0.0.1:PORT (0 picks a free one) with TCP_NODELAY, prints
/// `listening on 127.0.0.1:PORT` on stderr and returns the socket. `flags` as socket(2) takes them
/// beside the type: SOCK_NONBLOCK or 0. Ends the program on failure.
int listen_on(const char* port, int flags);

/// Accepts a client that waits, without blocking, with TCP_NODELAY; -1 if none waits. Ends the
/// program on failure.
int accept_client(int listener);

/// The most descriptors this process may open, after raising the soft limit to the hard one.
unsigned raise_open_files(void);

/// Prints `what: reason of errno` on stderr and exits with status 1.
_Noreturn void die(const char* what);
