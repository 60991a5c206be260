// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What cannot be beaten: accepts, reads whatever has come, and writes an answer that was made
 * beforehand, without a look at what was asked. The system calls that are left are those that every
 * server of its kind makes. Its listener has the options of the keeper's for the responder.
 */
#include "wicket/error.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,
    DEFER_ACCEPT_S = 1,
    EVENTS_AT_ONCE = 256,
    ACCEPTS_AT_ONCE = 64,
};

struct canned {
    int epoll;
    int listener;
    bool keep; /* the connections, for more of the same */
    char answer[1024];
    size_t length;
};

static int read_body(struct canned *canned, const char *path, struct error *error)
{
    char body[512];
    FILE *const file = fopen(path, "re");
    if (file == NULL) {
        return error_set_errno(error, EX_NOINPUT, "%s", path);
    }
    const size_t length = fread(body, 1, sizeof body, file);
    fclose(file);
    const int written = snprintf(canned->answer, sizeof canned->answer,
                                 "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                                 "Content-Length: %zu\r\nConnection: %s\r\n\r\n%.*s",
                                 length, canned->keep ? "keep-alive" : "close", (int)length, body);
    if (written < 0 || (size_t)written >= sizeof canned->answer) {
        return error_set(error, EX_DATAERR, "%s: too long", path);
    }
    canned->length = (size_t)written;
    return 0;
}

static int set_options(int fd)
{
    static const struct {
        int level, option, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},    {SOL_SOCKET, SO_OOBINLINE, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},    {IPPROTO_TCP, TCP_KEEPIDLE, 60},
        {IPPROTO_TCP, TCP_KEEPINTVL, 15}, {IPPROTO_TCP, TCP_KEEPCNT, 4},
        {SOL_SOCKET, SO_REUSEADDR, 1},    {IPPROTO_TCP, TCP_DEFER_ACCEPT, DEFER_ACCEPT_S},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (setsockopt(fd, options[i].level, options[i].option, &options[i].value,
                       sizeof options[i].value) < 0) {
            return -1;
        }
    }
    return 0;
}

static int watch(const struct canned *canned, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(canned->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int begin(struct canned *canned, in_port_t port, struct error *error)
{
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    canned->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    canned->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (canned->listener < 0 || canned->epoll < 0 || set_options(canned->listener) < 0 ||
        bind(canned->listener, (const struct sockaddr *)&any, sizeof any) < 0 ||
        listen(canned->listener, BACKLOG) < 0 || watch(canned, canned->listener) < 0) {
        return error_set_errno(error, EX_OSERR, "port %u", (unsigned)port);
    }
    return 0;
}

/* False: the connection is done with. */
static bool answer(const struct canned *canned, int fd)
{
    char request[4096];
    const ssize_t got = recv(fd, request, sizeof request, 0);
    if (got < 0 && errno == EAGAIN) {
        return true;
    }
    if (got <= 0) {
        return false;
    }
    /* What is the last answer leaves together with the end of the connection. */
    const int more = canned->keep ? 0 : MSG_MORE;
    const ssize_t sent = send(fd, canned->answer, canned->length, MSG_NOSIGNAL | more);
    return sent == (ssize_t)canned->length && canned->keep;
}

static void accept_some(const struct canned *canned)
{
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        const int fd = accept4(canned->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        /* Accepting was deferred: the request is there. */
        if (!answer(canned, fd) || watch(canned, fd) < 0) {
            close(fd);
        }
    }
}

static int run(const struct canned *canned, struct error *error)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    for (;;) {
        const int count = epoll_wait(canned->epoll, events, EVENTS_AT_ONCE, -1);
        if (count < 0 && errno != EINTR) {
            return error_set_errno(error, EX_OSERR, "epoll_wait");
        }
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == canned->listener) {
                accept_some(canned);
            } else if (!answer(canned, events[i].data.fd)) {
                close(events[i].data.fd);
            }
        }
    }
}

int main(int argc, char **argv)
{
    struct canned canned = {.epoll = -1, .listener = -1};
    struct error error = {0};
    canned.keep = argc == 4 && strcmp(argv[3], "keep") == 0;
    const long port = argc >= 3 ? strtol(argv[1], NULL, 10) : 0;
    if (port < 1 || port > 65535 || argc > 4 || (argc == 4 && !canned.keep)) {
        fputs("usage: canned PORT BODY-FILE [keep]\n", stderr);
        return EX_USAGE;
    }
    if (read_body(&canned, argv[2], &error) < 0 || begin(&canned, (in_port_t)port, &error) < 0 ||
        run(&canned, &error) < 0) {
        fprintf(stderr, "canned: %s\n", error.text);
        return error.exit_code;
    }
    return EX_OK;
}
