// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Visitors as fast as they can be served, a connection for each request, for the lab.
 *
 *     load WHO SECONDS PARALLEL RATE TARGET BODY SOURCE...
 *
 * WHO is "closes-first" or "server-closes": who ends a connection. PARALLEL visitors at a time come
 * from the SOURCE addresses in turn to port 80 of TARGET, RATE of them a second (0: at full speed),
 * and each expects a page that is BODY, byte for byte. One line of JSON on standard output in the
 * end. What a visitor met that is not the page is a failure; finding no free port is none, it comes
 * from TIME_WAIT on this side.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "outside.h"

enum {
    PORT = 80,
    PARALLEL_MAX = 4096,
    SOURCES_MAX = 64,
    ANSWER_MAX = 4096,
    EVENTS_AT_ONCE = 256,
    LOOK_MS = 100, /* at deadlines, and for what the pace allows next: PACE_MS */
    PACE_MS = 1,
};
#define TIMEOUT_US UINT64_C(15000000)

enum failure {
    FAILURE_REFUSED,
    FAILURE_RESET,
    FAILURE_TIMEOUT,
    FAILURE_SHORT,
    FAILURE_STATUS,
    FAILURE_BODY,
    FAILURE_OTHER,
    FAILURE_COUNT
};
static const char *const failure_names[FAILURE_COUNT] = {"refused", "reset", "timeout", "short",
                                                         "status",  "body",  "other"};

struct visitor {
    int fd; /* -1: nobody */
    bool asked;
    uint64_t began_us;
    size_t length;
    char answer[ANSWER_MAX];
};

struct load {
    bool closes_first;
    uint64_t seconds, parallel, rate;
    struct address target, sources[SOURCES_MAX];
    size_t source_count;
    const char *body;
    char request[256];
    int epoll;
    struct visitor *visitors;
    uint64_t began_us, started, no_port;
    uint64_t failures[FAILURE_COUNT];
    uint32_t *latencies_us;
    size_t answers, capacity;
};

static bool parse(struct load *load, int argc, char **argv)
{
    if (argc < 8 || argc - 7 > SOURCES_MAX)
        return false;
    load->closes_first = strcmp(argv[1], "closes-first") == 0;
    if (!load->closes_first && strcmp(argv[1], "server-closes") != 0)
        return false;
    if (!parse_number(&load->seconds, argv[2], 1, 3600) ||
        !parse_number(&load->parallel, argv[3], 1, PARALLEL_MAX) ||
        !parse_number(&load->rate, argv[4], 0, 1000000) ||
        !parse_address(&load->target, argv[5], PORT))
        return false;
    load->body = argv[6];
    for (int i = 7; i < argc; i++)
        if (!parse_address(&load->sources[load->source_count++], argv[i], 0))
            return false;
    snprintf(load->request, sizeof(load->request),
             "GET / HTTP/1.1\r\nHost: load.lab\r\nConnection: %s\r\n\r\n",
             load->closes_first ? "keep-alive" : "close");
    return true;
}

/* The visitor goes: its place is free. */
static void leave(struct visitor *visitor)
{
    close(visitor->fd);
    visitor->fd = -1;
}

static void fail(struct load *load, struct visitor *visitor, enum failure failure)
{
    load->failures[failure]++;
    leave(visitor);
}

static enum failure failure_of(int error)
{
    if (error == ECONNREFUSED)
        return FAILURE_REFUSED;
    if (error == ECONNRESET || error == EPIPE)
        return FAILURE_RESET;
    return error == ETIMEDOUT ? FAILURE_TIMEOUT : FAILURE_OTHER;
}

/* False when this source has no free port for now. */
static bool come(struct load *load, struct visitor *visitor)
{
    const struct address *source = &load->sources[load->started % load->source_count];
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = visitor};
    int yes = 1;

    visitor->fd = socket(load->target.socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (visitor->fd < 0) {
        perror("load: socket");
        exit(EX_OSERR);
    }
    visitor->asked = false;
    visitor->length = 0;
    visitor->began_us = now_us();
    load->started++;
    /* A port may serve several destinations: it is chosen when connecting. */
    setsockopt(visitor->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
    if (bind(visitor->fd, (const struct sockaddr *)&source->socket, source->length) != 0) {
        perror("load: bind");
        exit(EX_OSERR);
    }
    if (connect(visitor->fd, (const struct sockaddr *)&load->target.socket, load->target.length) !=
            0 &&
        errno != EINPROGRESS) {
        if (errno == EADDRNOTAVAIL) {
            load->no_port++;
            leave(visitor);
            return false;
        }
        fail(load, visitor, failure_of(errno));
        return true;
    }
    epoll_ctl(load->epoll, EPOLL_CTL_ADD, visitor->fd, &event);
    return true;
}

static void ask(struct load *load, struct visitor *visitor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = visitor};
    size_t length = strlen(load->request);
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(visitor->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        fail(load, visitor, failure_of(error));
        return;
    }
    if (send(visitor->fd, load->request, length, MSG_NOSIGNAL) != (ssize_t)length) {
        fail(load, visitor, failure_of(errno));
        return;
    }
    visitor->asked = true;
    epoll_ctl(load->epoll, EPOLL_CTL_MOD, visitor->fd, &event);
}

static void remember(struct load *load, uint64_t took_us)
{
    if (load->answers == load->capacity) {
        size_t capacity = load->capacity ? 2 * load->capacity : 65536;
        uint32_t *grown = reallocarray(load->latencies_us, capacity, sizeof(*grown));

        if (!grown) {
            perror("load");
            exit(EX_OSERR);
        }
        load->latencies_us = grown;
        load->capacity = capacity;
    }
    load->latencies_us[load->answers++] = (uint32_t)took_us;
}

/* What there is of the answer's body, or NULL while its headers are not whole. */
static const char *find_body(const struct visitor *visitor)
{
    const char *end = memmem(visitor->answer, visitor->length, "\r\n\r\n", 4);

    return end ? end + 4 : NULL;
}

static void judge(struct load *load, struct visitor *visitor)
{
    static const char good[] = "HTTP/1.1 200 ";
    const char *body = find_body(visitor);
    size_t length = body ? visitor->length - (size_t)(body - visitor->answer) : 0;

    if (!body || length < strlen(load->body))
        fail(load, visitor, FAILURE_SHORT);
    else if (memcmp(visitor->answer, good, sizeof(good) - 1) != 0)
        fail(load, visitor, FAILURE_STATUS);
    else if (length != strlen(load->body) || memcmp(body, load->body, length) != 0)
        fail(load, visitor, FAILURE_BODY);
    else {
        remember(load, now_us() - visitor->began_us);
        leave(visitor);
    }
}

/* Whether a visitor who closes first has seen enough; a body of another length will show. */
static bool has_all(const struct load *load, const struct visitor *visitor)
{
    const char *body = find_body(visitor);

    return body && visitor->length - (size_t)(body - visitor->answer) >= strlen(load->body);
}

static void hear(struct load *load, struct visitor *visitor)
{
    for (;;) {
        size_t room = sizeof(visitor->answer) - visitor->length;
        ssize_t got;

        if (room == 0) {
            fail(load, visitor, FAILURE_BODY);
            return;
        }
        got = recv(visitor->fd, visitor->answer + visitor->length, room, 0);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got < 0) {
            fail(load, visitor, failure_of(errno));
            return;
        }
        visitor->length += (size_t)got;
        if (got == 0 || (load->closes_first && has_all(load, visitor))) {
            judge(load, visitor);
            return;
        }
    }
}

/* Fills free places as the pace allows. Returns how many visitors are under way. */
static size_t invite(struct load *load, uint64_t now, bool more)
{
    size_t here = 0;
    bool port = true;

    for (size_t i = 0; i < load->parallel; i++) {
        struct visitor *visitor = &load->visitors[i];
        uint64_t due = load->rate * (now - load->began_us) / 1000000;

        if (visitor->fd < 0 && more && port && (load->rate == 0 || load->started < due))
            port = come(load, visitor);
        here += visitor->fd >= 0;
    }
    return here;
}

static void expire(struct load *load)
{
    uint64_t now = now_us(); /* later than any visitor came */

    for (size_t i = 0; i < load->parallel; i++)
        if (load->visitors[i].fd >= 0 && now - load->visitors[i].began_us > TIMEOUT_US)
            fail(load, &load->visitors[i], FAILURE_TIMEOUT);
}

static void run(struct load *load)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    uint64_t looked = 0;

    load->began_us = now_us();
    for (;;) {
        uint64_t now = now_us();
        bool more = now - load->began_us < load->seconds * 1000000;
        int count;

        if (invite(load, now, more) == 0 && !more)
            return;
        count = epoll_wait(load->epoll, events, EVENTS_AT_ONCE, more ? PACE_MS : LOOK_MS);
        for (int i = 0; i < count; i++) {
            struct visitor *visitor = events[i].data.ptr;

            if (visitor->asked)
                hear(load, visitor);
            else
                ask(load, visitor);
        }
        if (now - looked > LOOK_MS * 1000) {
            expire(load);
            looked = now;
        }
    }
}

static int compare(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one;
    uint32_t b = *(const uint32_t *)other;

    return (a > b) - (a < b);
}

static double percentile_ms(const struct load *load, size_t percent)
{
    size_t at = load->answers * percent / 100;

    if (load->answers == 0)
        return 0;
    return load->latencies_us[at < load->answers ? at : load->answers - 1] / 1000.0;
}

static void report(struct load *load, double took_s)
{
    uint64_t failed = 0;
    const char *separator = "";

    qsort(load->latencies_us, load->answers, sizeof(*load->latencies_us), compare);
    printf("{\"answers\": %zu, \"seconds\": %.3f, \"per_second\": %.1f, \"no_port\": %" PRIu64
           ", \"latency_ms\": {\"50\": %.3f, \"99\": %.3f, \"100\": %.3f}, \"failures\": {",
           load->answers, took_s, (double)load->answers / took_s, load->no_port,
           percentile_ms(load, 50), percentile_ms(load, 99), percentile_ms(load, 100));
    for (size_t i = 0; i < FAILURE_COUNT; i++) {
        if (load->failures[i] == 0)
            continue;
        printf("%s\"%s\": %" PRIu64, separator, failure_names[i], load->failures[i]);
        separator = ", ";
        failed += load->failures[i];
    }
    printf("}, \"failed\": %" PRIu64 "}\n", failed);
}

int main(int argc, char **argv)
{
    static struct load load;

    if (!parse(&load, argc, argv)) {
        fputs(
            "usage: load closes-first|server-closes SECONDS PARALLEL RATE TARGET BODY SOURCE...\n",
            stderr);
        return EX_USAGE;
    }
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.visitors = calloc(load.parallel, sizeof(*load.visitors));
    if (load.epoll < 0 || !load.visitors) {
        perror("load");
        return EX_OSERR;
    }
    for (size_t i = 0; i < load.parallel; i++)
        load.visitors[i].fd = -1;
    run(&load);
    report(&load, (double)(now_us() - load.began_us) / 1e6);
    free(load.visitors);
    free(load.latencies_us);
    close(load.epoll);
    return EX_OK;
}
