// A bare io_uring echo in C, as fast as one writes it by hand: what sluice is measured against.
// Bare, for a few dozen peers that send and never read can hold every buffer there is.
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listener.h"

enum {
    sq_entries = 4096,
    cq_entries = 32 * 1024,
    buffer_size = 16 * 1024,
    buffer_count = 128,   // more of them fall out of the cache between two uses
    most_buffers = 1024,  // with those made while peers that do not read hold all; a power of two
    buffer_group = 0,
    most_queued = 8,  // buffers that one peer that does not read may hold, or a few more
};

enum operation { op_accept, op_recv, op_send, op_cancel, op_shutdown, op_close };

// One connection, by descriptor. Buffers that wait to be sent form a chain through `chunks`.
struct connection {
    uint16_t first, last;  // meaningful while queued > 0; the first is the one being sent
    uint16_t queued;
    bool receiving;   // a multishot recv is armed
    bool cancelling;  // and is being stopped, because too much is queued
    bool waiting;     // is in the list of connections that wait for buffers
    bool ended;       // nothing more will be read: close once all is sent
};

// A buffer, and what it holds between recv and the end of its send.
struct chunk {
    char* bytes;
    uint32_t from, to;
    uint16_t next;
};

static struct io_uring ring;
static bool direct;  // connections live in the ring's own table, not among the descriptors
static struct io_uring_buf_ring* buffers;
static struct connection* connections;
static struct chunk chunks[most_buffers];
static uint16_t spare = buffer_count;  // the first of the chunks without a buffer, or most_buffers
static int* waiting;
static unsigned waiting_count;
static int returned;  // buffers given back since the ring's tail was last advanced
static int idle;      // buffers that the ring holds, ready to be received into

static _Noreturn void die_of(int reason, const char* what) {
    errno = reason;
    die(what);
}

static struct io_uring_sqe* next_sqe(void) {
    struct io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    while (sqe == NULL) {
        int submitted = io_uring_submit(&ring);
        if (submitted < 0 && submitted != -EINTR && submitted != -EAGAIN && submitted != -EBUSY) {
            die_of(-submitted, "io_uring_submit");
        }
        sqe = io_uring_get_sqe(&ring);
    }
    return sqe;
}

static void tag(struct io_uring_sqe* sqe, enum operation operation, int fd) {
    io_uring_sqe_set_data64(sqe, (uint64_t)operation << 32 | (uint32_t)fd);
}

static void arm_accept(int listener) {
    struct io_uring_sqe* sqe = next_sqe();
    if (direct) {
        io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
    } else {
        io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    }
    tag(sqe, op_accept, listener);
}

static void arm_recv(int fd) {
    struct io_uring_sqe* sqe = next_sqe();
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= direct ? IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE : IOSQE_BUFFER_SELECT;
    sqe->buf_group = buffer_group;
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    tag(sqe, op_recv, fd);
    connections[fd].receiving = true;
}

static void send_first(int fd) {
    const struct chunk* chunk = &chunks[connections[fd].first];
    struct io_uring_sqe* sqe = next_sqe();
    io_uring_prep_send(sqe, fd, chunk->bytes + chunk->from, chunk->to - chunk->from,
                       MSG_NOSIGNAL | MSG_WAITALL);
    if (direct) sqe->flags |= IOSQE_FIXED_FILE;
    tag(sqe, op_send, fd);
}

static void offer(uint16_t id) {
    io_uring_buf_ring_add(buffers, chunks[id].bytes, buffer_size, id,
                          io_uring_buf_ring_mask(most_buffers), returned);
    ++returned;
    ++idle;
}

static void give_back(uint16_t id) {
    if (id < buffer_count) {
        offer(id);
        return;
    }
    free(chunks[id].bytes);
    chunks[id].next = spare;
    spare = id;
}

static void make_more_buffers(void) {
    for (int i = 0; i < buffer_count / 4 && spare < most_buffers; ++i) {
        uint16_t id = spare;
        chunks[id].bytes = malloc(buffer_size);
        if (chunks[id].bytes == NULL) die("malloc");
        spare = chunks[id].next;
        offer(id);
    }
}

static void close_if_done(int fd) {
    struct connection* c = &connections[fd];
    if (!c->ended || c->receiving || c->waiting || c->queued > 0) return;
    memset(c, 0, sizeof *c);
    if (direct) {
        struct io_uring_sqe* sqe = next_sqe();
        io_uring_prep_close_direct(sqe, (unsigned)fd);
        tag(sqe, op_close, fd);
    } else {
        close(fd);
    }
}

static void end_recv(int fd) {
    struct io_uring_sqe* sqe = next_sqe();
    io_uring_prep_shutdown(sqe, fd, SHUT_RDWR);
    if (direct) sqe->flags |= IOSQE_FIXED_FILE;
    tag(sqe, op_shutdown, fd);
}

static void on_accept(int listener, const struct io_uring_cqe* cqe) {
    if (cqe->res >= 0) {
        arm_recv(cqe->res);
    } else if (cqe->res != -ECONNABORTED && cqe->res != -EINTR) {
        die_of(-cqe->res, "accept");
    }
    if ((cqe->flags & IORING_CQE_F_MORE) == 0) arm_accept(listener);
}

static void on_recv(int fd, const struct io_uring_cqe* cqe) {
    struct connection* c = &connections[fd];
    c->receiving = (cqe->flags & IORING_CQE_F_MORE) != 0;
    if (cqe->res > 0) {
        uint16_t id = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        --idle;
        chunks[id].from = 0;
        chunks[id].to = (uint32_t)cqe->res;
        if (c->queued == 0) {
            c->first = c->last = id;
        } else {
            chunks[c->last].next = id;
            c->last = id;
        }
        if (++c->queued == 1) send_first(fd);
        if (c->queued >= most_queued && c->receiving && !c->cancelling) {
            struct io_uring_sqe* sqe = next_sqe();
            io_uring_prep_cancel64(sqe, (uint64_t)op_recv << 32 | (uint32_t)fd, 0);
            tag(sqe, op_cancel, fd);
            c->cancelling = true;
        }
    } else if (cqe->res != -ENOBUFS && cqe->res != -ECANCELED && cqe->res != -EINTR) {
        c->ended = true;
    }
    if (c->receiving) return;
    c->cancelling = false;
    // With something left to send, the last of its sends arms it anew: it gets no buffers before.
    if (!c->ended && c->queued == 0) {
        if (cqe->res == -ENOBUFS) {
            c->waiting = true;
            waiting[waiting_count++] = fd;
        } else {
            arm_recv(fd);
        }
    }
    close_if_done(fd);
}

static void on_send(int fd, const struct io_uring_cqe* cqe) {
    struct connection* c = &connections[fd];
    struct chunk* chunk = &chunks[c->first];
    if (cqe->res > 0) chunk->from += (uint32_t)cqe->res;
    if (cqe->res >= 0 && chunk->from < chunk->to) {
        send_first(fd);
        return;
    }
    if (cqe->res < 0) {
        // The peer is gone: what it will not read goes home, and its recv ends by the shutdown.
        for (; c->queued > 1; --c->queued) {
            uint16_t unwanted = c->first;
            c->first = chunks[unwanted].next;
            give_back(unwanted);
        }
        c->ended = true;
        if (c->receiving) end_recv(fd);
    }
    uint16_t done = c->first;
    c->first = chunks[done].next;
    give_back(done);
    if (--c->queued > 0) {
        send_first(fd);
    } else if (!c->ended && !c->receiving && !c->waiting) {
        arm_recv(fd);
    }
    close_if_done(fd);
}

static void rearm_waiting(void) {
    unsigned count = waiting_count;
    waiting_count = 0;
    for (unsigned i = 0; i < count; ++i) {
        connections[waiting[i]].waiting = false;
        if (connections[waiting[i]].ended) {
            close_if_done(waiting[i]);
        } else {
            arm_recv(waiting[i]);
        }
    }
}

static void open_ring(unsigned connections_at_most) {
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                 IORING_SETUP_SUBMIT_ALL,
        .cq_entries = cq_entries,
    };
    int status = io_uring_queue_init_params(sq_entries, &ring, &params);
    if (status < 0) die_of(-status, "io_uring_queue_init");
    status = io_uring_register_ring_fd(&ring);
    if (status < 0) die_of(-status, "io_uring_register_ring_fd");
    if (!direct) return;
    status = io_uring_register_files_sparse(&ring, connections_at_most);
    if (status < 0) die_of(-status, "io_uring_register_files_sparse");
}

static void open_buffers(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void* entries = NULL;
    void* memory = NULL;
    if (posix_memalign(&entries, page, most_buffers * sizeof(struct io_uring_buf)) != 0 ||
        posix_memalign(&memory, page, (size_t)buffer_count * buffer_size) != 0) {
        fprintf(stderr, "no memory for %d buffers of %d bytes\n", buffer_count, buffer_size);
        exit(1);
    }
    buffers = entries;
    struct io_uring_buf_reg registration = {
        .ring_addr = (uintptr_t)entries, .ring_entries = most_buffers, .bgid = buffer_group};
    int status = io_uring_register_buf_ring(&ring, &registration, 0);
    if (status < 0) die_of(-status, "io_uring_register_buf_ring");
    io_uring_buf_ring_init(buffers);
    for (uint16_t id = 0; id < buffer_count; ++id) {
        chunks[id].bytes = (char*)memory + (size_t)id * buffer_size;
        offer(id);
    }
    for (uint16_t id = buffer_count; id < most_buffers; ++id) chunks[id].next = (uint16_t)(id + 1);
    io_uring_buf_ring_advance(buffers, returned);
    returned = 0;
}

int main(int argc, char** argv) {
    if (argc == 3 && strcmp(argv[2], "--direct") == 0) {
        direct = true;
    } else if (argc != 2) {
        fprintf(stderr, "usage: %s PORT [--direct]\n", argv[0]);
        return 2;
    }
    unsigned most = raise_open_files();
    connections = calloc(most, sizeof *connections);
    waiting = calloc(most, sizeof *waiting);
    if (connections == NULL || waiting == NULL) die("calloc");
    open_ring(most);
    open_buffers();
    arm_accept(listen_on(argv[1], 0));

    for (;;) {
        // A connection waits for a buffer: see whether a submission frees one.
        bool hurry = waiting_count > 0 && spare < most_buffers;
        int status =
            hurry ? io_uring_submit_and_get_events(&ring) : io_uring_submit_and_wait(&ring, 1);
        if (status < 0 && status != -EINTR && status != -EAGAIN && status != -EBUSY) {
            die_of(-status, "io_uring_submit_and_wait");
        }
        struct io_uring_cqe* cqe = NULL;
        unsigned head = 0;
        unsigned seen = 0;
        io_uring_for_each_cqe(&ring, head, cqe) {
            int fd = (int)(uint32_t)cqe->user_data;
            switch ((enum operation)(cqe->user_data >> 32)) {
                case op_accept: on_accept(fd, cqe); break;
                case op_recv: on_recv(fd, cqe); break;
                case op_send: on_send(fd, cqe); break;
                case op_cancel:
                case op_shutdown:
                case op_close: break;
            }
            ++seen;
        }
        io_uring_cq_advance(&ring, seen);
        if (waiting_count > 0 && idle == 0 && seen == 0) make_more_buffers();
        if (returned > 0) {
            io_uring_buf_ring_advance(buffers, returned);
            returned = 0;
        }
        if (waiting_count > 0 && idle > 0) rearm_waiting();
    }
}
