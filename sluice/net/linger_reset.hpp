// What a socket's close tells its peer: the end of the stream, or a reset.
#pragma once

namespace sluice::net {

/// Makes a close of `socket`, or the end of this process, discard unsent data and reset the peer
/// (socket(7), SO_LINGER of zero), or no longer so. For a connection that was not served, too: the
/// end of the stream would tell some clients that theirs was taken. Any thread.
void set_linger_reset(int socket, bool on = true) noexcept;

}  // namespace sluice::net
