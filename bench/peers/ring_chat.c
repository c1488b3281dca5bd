// A bare chat in C, as cheap as one writes it by hand: what a delivery of sluice's is measured
// against.
//
// One thread, edges of epoll, one ring of bytes. A line is written into the ring once, with its
// sender's number before it; every other member has a cursor into the ring, and gets what lies
// ahead of it in one send(2) at the end of a turn. Whoever is a whole ring behind is cut off.
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listener.h"

enum { ring_size = 1 << 22, most_line = 16 * 1024, events_per_wait = 512, prefix_size = 10 };

struct member {
    int fd;
    bool blocked;      // send(2) said EAGAIN, and no edge has come since
    uint64_t cursor;   // of the ring's bytes, what it has
    size_t index;      // its place in `members`
    size_t line_size;  // of a line that is not whole
    char* line;        // most_line bytes, made for the first such line
    char prefix[prefix_size + 1];
};

static int epoll_fd;
static char ring[ring_size];
static uint64_t head;  // bytes written into the ring, ever
static struct member** members;
static size_t member_count;
static unsigned last_number;
static char buffer[64 * 1024];

static void drop(struct member* who) {
    close(who->fd);
    members[who->index] = members[--member_count];
    members[who->index]->index = who->index;
    who->fd = -1;  // events of this turn may still name it
}

// Sends all that it has not got; false if it is gone.
static bool deliver(struct member* who) {
    while (who->cursor < head) {
        if (head - who->cursor > ring_size) {
            drop(who);
            return false;
        }
        size_t from = who->cursor % ring_size;
        size_t size = (size_t)(head - who->cursor);
        if (size > ring_size - from) size = ring_size - from;
        ssize_t sent = send(who->fd, ring + from, size, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) {
                who->blocked = true;
                return true;
            }
            drop(who);
            return false;
        }
        who->cursor += (uint64_t)sent;
    }
    return true;
}

static void put(const char* bytes, size_t size) {
    size_t from = head % ring_size;
    size_t first = size < ring_size - from ? size : ring_size - from;
    memcpy(ring + from, bytes, first);
    memcpy(ring, bytes + first, size - first);
    head += size;
}

// Writes its line, with the newline, for all but itself. False if it is gone.
static bool say(struct member* who, const char* rest, size_t size) {
    if (!who->blocked && !deliver(who)) return false;
    bool has_all = who->cursor == head;
    put(who->prefix, prefix_size);
    put(who->line, who->line_size);
    who->line_size = 0;
    put(rest, size);
    if (has_all) who->cursor = head;
    return true;
}

static bool keep(struct member* who, const char* bytes, size_t size) {
    if (who->line == NULL) who->line = malloc(most_line);
    if (who->line == NULL || who->line_size + size > most_line) {
        drop(who);
        return false;
    }
    memcpy(who->line + who->line_size, bytes, size);
    who->line_size += size;
    return true;
}

static void listen_to(struct member* who, uint32_t events) {
    if (events & EPOLLOUT) who->blocked = false;
    if ((events & ~(uint32_t)EPOLLOUT) == 0) return;
    for (;;) {
        ssize_t got = recv(who->fd, buffer, sizeof buffer, 0);
        if (got <= 0) {
            if (got < 0 && errno == EINTR) continue;
            if (got == 0 || errno != EAGAIN) drop(who);
            return;
        }
        const char* at = buffer;
        const char* end = buffer + got;
        for (const char* newline; (newline = memchr(at, '\n', (size_t)(end - at))) != NULL;
             at = newline + 1) {
            if (!say(who, at, (size_t)(newline + 1 - at))) return;
        }
        if (at < end && !keep(who, at, (size_t)(end - at))) return;
        // epoll(7): a short read has emptied a stream, and what comes later is a new edge.
        if (got < (ssize_t)sizeof buffer && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) {
            return;
        }
    }
}

static void accept_all(int listener) {
    for (int fd; (fd = accept_client(listener)) >= 0;) {
        struct member* who = calloc(1, sizeof *who);
        if (who == NULL) die("calloc");
        who->fd = fd;
        who->cursor = head;
        who->index = member_count;
        snprintf(who->prefix, sizeof who->prefix, "[%06u]: ", ++last_number % 1000000);
        members[member_count++] = who;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                    .data.ptr = who};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
    }
}

int main(int argc, char** argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    members = calloc(raise_open_files(), sizeof *members);
    if (members == NULL) die("calloc");
    int listener = listen_on(argv[1], SOCK_NONBLOCK);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) die("epoll_create1");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) != 0) die("epoll_ctl");

    static struct epoll_event events[events_per_wait];
    for (;;) {
        int count = epoll_wait(epoll_fd, events, events_per_wait, -1);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < count; ++i) {
            struct member* who = events[i].data.ptr;
            if (who == NULL) {
                accept_all(listener);
            } else if (who->fd >= 0) {
                listen_to(who, events[i].events);
            }
        }
        // From the last on, since who is dropped gives its place to the last.
        for (size_t i = member_count; i-- > 0;) {
            if (!members[i]->blocked) deliver(members[i]);
        }
    }
}
