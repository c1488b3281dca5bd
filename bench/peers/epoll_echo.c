// A bare epoll echo in C, as fast as one writes it by hand: what sluice is measured against.
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

enum { buffer_size = 64 * 1024, events_per_wait = 512 };

// What send(2) did not take. It exists only while a peer does not read.
struct unsent {
    size_t from, to;
    char bytes[];
};

static int epoll_fd;
static bool edge = true;
static struct unsent** unsent_of;  // by descriptor
static char buffer[buffer_size];

static uint32_t interest(bool writing) {
    if (edge) return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    return writing ? EPOLLOUT : EPOLLIN;
}

// With edges everything is asked for once; with levels, one direction at a time.
static void want(int fd, bool writing) {
    if (edge) return;
    struct epoll_event event = {.events = interest(writing), .data.fd = fd};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0) die("epoll_ctl");
}

static void drop(int fd) {
    free(unsent_of[fd]);
    unsent_of[fd] = NULL;
    close(fd);
}

static void keep_unsent(int fd, const char* bytes, size_t size) {
    struct unsent* rest = malloc(sizeof *rest + size);
    if (rest == NULL) die("malloc");
    rest->from = 0;
    rest->to = size;
    memcpy(rest->bytes, bytes, size);
    unsent_of[fd] = rest;
    want(fd, true);
}

// True once nothing is left to send.
static bool flush_unsent(int fd) {
    struct unsent* rest = unsent_of[fd];
    while (rest->from < rest->to) {
        ssize_t sent = send(fd, rest->bytes + rest->from, rest->to - rest->from, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN) drop(fd);
            return false;
        }
        rest->from += (size_t)sent;
    }
    free(rest);
    unsent_of[fd] = NULL;
    want(fd, false);
    return true;
}

static void echo(int fd, uint32_t events) {
    if (unsent_of[fd] != NULL) {
        if (!flush_unsent(fd)) return;
    } else if ((events & ~(uint32_t)EPOLLOUT) == 0) {
        return;
    }
    for (;;) {
        ssize_t got = recv(fd, buffer, sizeof buffer, 0);
        if (got <= 0) {
            if (got < 0 && errno == EINTR) continue;
            if (got == 0 || errno != EAGAIN) drop(fd);
            return;
        }
        ssize_t sent = send(fd, buffer, (size_t)got, MSG_NOSIGNAL);
        if (sent < got) {
            if (sent < 0 && errno != EAGAIN && errno != EINTR) {
                drop(fd);
                return;
            }
            size_t taken = sent < 0 ? 0 : (size_t)sent;
            keep_unsent(fd, buffer + taken, (size_t)got - taken);
            // The edge of a socket that emptied in between has passed unless it is asked for here.
            if (!flush_unsent(fd)) return;
        }
        // epoll(7): a short read has emptied a stream, and what comes later is a new edge. An end
        // that was already announced is not, so it is read now.
        if (!edge) return;
        if (got < buffer_size && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return;
    }
}

static void accept_all(int listener) {
    for (int fd; (fd = accept_client(listener)) >= 0;) {
        struct epoll_event event = {.events = interest(false), .data.fd = fd};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
    }
}

int main(int argc, char** argv) {
    if (argc == 3 && strcmp(argv[2], "--level") == 0) {
        edge = false;
    } else if (argc != 2) {
        fprintf(stderr, "usage: %s PORT [--level]\n", argv[0]);
        return 2;
    }
    unsent_of = calloc(raise_open_files(), sizeof(struct unsent*));
    if (unsent_of == NULL) die("calloc");
    int listener = listen_on(argv[1], SOCK_NONBLOCK);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) die("epoll_create1");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) != 0) die("epoll_ctl");

    static struct epoll_event events[events_per_wait];
    for (;;) {
        int count = epoll_wait(epoll_fd, events, events_per_wait, -1);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < count; ++i) {
            if (events[i].data.fd == listener) {
                accept_all(listener);
            } else {
                echo(events[i].data.fd, events[i].events);
            }
        }
    }
}
