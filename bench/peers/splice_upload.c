// A bare splice loop in C that stores what each client streams: what a raw listener is measured
// against.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listener.h"

enum { pipe_size = 1 << 20, events_per_wait = 64 };

struct client {
    int socket, file, from_pipe, to_pipe;
};

static int stored;

static struct client* receive(int socket) {
    struct client* new = malloc(sizeof *new);
    int ends[2];
    char name[32];
    if (new == NULL || pipe2(ends, O_CLOEXEC) != 0) die("pipe");
    if (fcntl(ends[1], F_SETPIPE_SZ, pipe_size) < 0) die("fcntl");
    snprintf(name, sizeof name, "bare-%d", stored++);
    const int file = open(name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    if (file < 0) die(name);
    *new =
        (struct client){.socket = socket, .file = file, .from_pipe = ends[0], .to_pipe = ends[1]};
    return new;
}

static void finish(struct client* c) {
    close(c->file);
    close(c->from_pipe);
    close(c->to_pipe);
    close(c->socket);
    free(c);
}

// As much as there is, a pipe at a time.
static void serve(struct client* c) {
    const ssize_t got =
        splice(c->socket, NULL, c->to_pipe, NULL, pipe_size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        finish(c);
        return;
    }
    for (ssize_t left = got; left > 0;) {
        const ssize_t n = splice(c->from_pipe, NULL, c->file, NULL, (size_t)left, SPLICE_F_MOVE);
        if (n <= 0) die("splice");
        left -= n;
    }
}

int main(int argc, char** argv) {
    if (argc != 3 || chdir(argv[2]) != 0) {
        fputs("usage: splice_upload PORT DIRECTORY\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    const int listener = listen_on(argv[1], SOCK_NONBLOCK);
    const int events = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(events, EPOLL_CTL_ADD, listener, &event) != 0) die("epoll_ctl");
    for (;;) {
        struct epoll_event ready[events_per_wait];
        const int n = epoll_wait(events, ready, events_per_wait, -1);
        for (int i = 0; i < n; ++i) {
            if (ready[i].data.ptr != NULL) {
                serve(ready[i].data.ptr);
                continue;
            }
            const int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (socket < 0) continue;
            event = (struct epoll_event){.events = EPOLLIN, .data.ptr = receive(socket)};
            if (epoll_ctl(events, EPOLL_CTL_ADD, socket, &event) != 0) die("epoll_ctl");
        }
    }
}
