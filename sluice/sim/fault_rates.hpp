// How often the simulated kernel does each thing that a program must survive.
#pragma once

#include "sluice/sim/random.hpp"

namespace sluice::sim {

/// A probability for each class of fault, per chance to happen; 0 is off. What TCP promises is
/// kept: bytes of a stream come once and in order, or the stream is broken.
struct fault_rates {
    double short_write = 0;    ///< send(2) takes a part, and has no space for a while
    double short_arrival = 0;  ///< of what was sent, a part arrives first: reads are short
    double single_byte = 0;    ///< one byte arrives, or is taken, alone
    double not_now = 0;        ///< EAGAIN although poll(2) said ready
    double delay = 0;          ///< of up to 100 ms, in one direction
    double clog = 0;           ///< a direction stands still for up to 5 s
    double stuck = 0;          ///< a direction stands still until heal(): a zero window
    double reset = 0;          ///< a connection is reset wherever it is, in mid-byte too
    double gone = 0;           ///< both ends of a connection never hear of each other again
    double refused = 0;        ///< connect(2): ECONNREFUSED
    double unanswered = 0;     ///< connect(2) hangs until ETIMEDOUT
    double ended_at_once = 0;  ///< a connection is reset when it has been made
    double aborted = 0;        ///< accept4(2): ECONNABORTED
    double no_descriptor = 0;  ///< accept4, socket, pipe2, openat: EMFILE or ENFILE
    double no_memory = 0;      ///< accept4: ENOBUFS or ENOMEM
    double interrupted = 0;    ///< EINTR of a call that waits
    double spurious = 0;       ///< a socket or a wait on a futex is ready for no reason
    double no_thread = 0;      ///< start_thread: EAGAIN
    double short_splice = 0;   ///< splice(2), sendfile(2) and copy_file_range(2) move a part
    double wall_jump = 0;      ///< the wall clock jumps by up to a day, per look at it
    double process_stall = 0;  ///< per call: the process stands still for up to 10 s (SIGSTOP)
    double ring_small = 0;     ///< io_uring_setup: queues of a few entries, where it may clamp them
    double ring_refused = 0;   ///< io_uring_setup: ENOSYS or EPERM, for good
    double ring_busy = 0;      ///< io_uring_enter takes a part of the entries, or none
    double ring_ended = 0;     ///< a multishot operation ends although more would come
    double ring_late = 0;      ///< a kernel thread does it, or a notification comes seconds later
    double ring_cancel = 0;    ///< a cancel comes too late: EALREADY, and the operation goes on
    double ring_again = 0;     ///< EAGAIN or EINTR of an operation that would wait
    double ring_no_buffer = 0;  ///< ENOBUFS although a buffer is provided
    double no_process = 0;      ///< spawn: EAGAIN, ENOMEM, ENFILE or ENOENT

    /// Each class is on with probability 1/2, at a rate between a hundredth of its bound and its
    /// bound, drawn log-uniformly: many worlds have one loud fault instead of all faint ones.
    [[nodiscard]] static fault_rates draw(random& from) noexcept;
};

}  // namespace sluice::sim
