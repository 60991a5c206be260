// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strangers who mean harm, for the lab.
 *
 *     strangers KIND SECONDS PARALLEL RATE TARGET SOURCE...
 *
 * PARALLEL strangers at a time come from the SOURCE addresses in turn to port 80 of TARGET, at most
 * RATE of them a second. KIND says what they do:
 *
 *     slow       a request for a token that nobody knows, one byte a second
 *     idle       nothing at all
 *     fresh      a page, over a new connection each time
 *     unknown    a token that nobody knows, over a new connection each time
 *     malformed  what is no request, and the end, a new connection for each
 *     reset      they are gone, with a reset, as soon as they are there; every second one has said
 *                half a request
 *
 * Whose connection ends comes again, the slow and the idle after a second. One line of JSON on
 * standard output in the end: how many came, what became of them, and how many there were at once.
 */
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
#include <unistd.h>

#include "outside.h"

enum {
    PORT = 80,
    PARALLEL_MAX = 8192,
    SOURCES_MAX = 512,
    EVENTS_AT_ONCE = 512,
    REQUEST_MAX = 256,
    TICK_MS = 5,
};
#define SECOND_US  UINT64_C(1000000)
#define TIMEOUT_US (5 * SECOND_US)

enum kind {
    KIND_SLOW,
    KIND_IDLE,
    KIND_FRESH,
    KIND_UNKNOWN,
    KIND_MALFORMED,
    KIND_RESET,
    KIND_COUNT
};
static const char *const kind_names[KIND_COUNT] = {"slow",    "idle",      "fresh",
                                                   "unknown", "malformed", "reset"};

enum fate {
    FATE_ANSWERED,
    FATE_CLOSED, /* without a word */
    FATE_RESET,
    FATE_REFUSED,
    FATE_TIMEOUT,
    FATE_LEFT, /* by the stranger */
    FATE_OTHER,
    FATE_COUNT
};
static const char *const fate_names[FATE_COUNT] = {"answered", "closed", "reset", "refused",
                                                   "timeout",  "left",   "other"};

struct stranger {
    int fd; /* -1: nobody */
    bool connected;
    bool heard;
    size_t length, sent; /* of the request */
    uint64_t began_us;
    uint64_t due_us; /* when it comes again, or says its next byte */
    char request[REQUEST_MAX];
};

struct strangers {
    enum kind kind;
    uint64_t seconds, parallel, rate;
    struct address target, sources[SOURCES_MAX];
    size_t source_count;
    int epoll;
    struct stranger *list;
    uint64_t began_us, came, connected, at_once, most_at_once, no_port;
    uint64_t fates[FATE_COUNT];
};

struct bytes {
    const char *text;
    size_t length;
};
#define BYTES(text)            \
    {                          \
        text, sizeof(text) - 1 \
    }
static const struct bytes malformed[] = {
    BYTES("GARBAGE\r\n\r\n"),
    BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    BYTES("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    BYTES("GET /\x1b[31m\nforged: line HTTP/1.1\r\n\r\n"),
    BYTES("GET / HTTP/1.1\r\n: \r\n\r\n"),
    BYTES("\0\0\0\0\0\0\0\0"),
    BYTES("GET / HTTP/1.1\nHost: a\n\n"),
    BYTES("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
};

static bool parse(struct strangers *strangers, int argc, char **argv)
{
    if (argc < 7 || argc - 6 > SOURCES_MAX)
        return false;
    while (strcmp(argv[1], kind_names[strangers->kind]) != 0)
        if (++strangers->kind == KIND_COUNT)
            return false;
    if (!parse_number(&strangers->seconds, argv[2], 1, 3600) ||
        !parse_number(&strangers->parallel, argv[3], 1, PARALLEL_MAX) ||
        !parse_number(&strangers->rate, argv[4], 1, 1000000) ||
        !parse_address(&strangers->target, argv[5], PORT))
        return false;
    for (int i = 6; i < argc; i++)
        if (!parse_address(&strangers->sources[strangers->source_count++], argv[i], 0))
            return false;
    return true;
}

static bool stays(const struct strangers *strangers)
{
    return strangers->kind == KIND_SLOW || strangers->kind == KIND_IDLE;
}

static void leave(struct strangers *strangers, struct stranger *stranger, enum fate fate)
{
    strangers->fates[fate]++;
    strangers->at_once -= stranger->connected;
    stranger->connected = false;
    close(stranger->fd);
    stranger->fd = -1;
    if (stays(strangers))
        stranger->due_us = now_us() + SECOND_US;
}

static void leave_with_error(struct strangers *strangers, struct stranger *stranger, int error)
{
    enum fate fate = FATE_OTHER;

    if (error == ECONNRESET || error == EPIPE)
        fate = stranger->heard ? FATE_ANSWERED : FATE_RESET;
    else if (error == ECONNREFUSED)
        fate = FATE_REFUSED;
    else if (error == ETIMEDOUT)
        fate = FATE_TIMEOUT;
    leave(strangers, stranger, fate);
}

/* What this one has to say. */
static void prepare(const struct strangers *strangers, struct stranger *stranger)
{
    static const char end[] = " HTTP/1.1\r\nHost: stranger.lab\r\nConnection: close\r\n\r\n";
    const struct bytes *bytes =
        &malformed[strangers->came % (sizeof(malformed) / sizeof(malformed[0]))];
    int length = 0;

    switch (strangers->kind) {
    case KIND_FRESH:
    case KIND_RESET:
        length = snprintf(stranger->request, REQUEST_MAX, "GET /%s", end);
        break;
    case KIND_SLOW:
    case KIND_UNKNOWN:
        length = snprintf(stranger->request, REQUEST_MAX,
                          "GET /.well-known/acme-challenge/stranger-of-the-lab-%08" PRIu64 "%s",
                          strangers->came, end);
        break;
    case KIND_MALFORMED:
        memcpy(stranger->request, bytes->text, bytes->length);
        length = (int)bytes->length;
        break;
    case KIND_IDLE:
    case KIND_COUNT:
        break;
    }
    stranger->length = (size_t)length;
    stranger->sent = 0;
    stranger->heard = false;
}

/* False when this source has no free port for now. */
static bool come(struct strangers *strangers, struct stranger *stranger)
{
    const struct address *source = &strangers->sources[strangers->came % strangers->source_count];
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = stranger};
    int yes = 1;

    stranger->fd = socket(strangers->target.socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (stranger->fd < 0) {
        perror("strangers: socket");
        exit(EX_OSERR);
    }
    prepare(strangers, stranger);
    stranger->began_us = now_us();
    strangers->came++;
    /* A port may serve several destinations: it is chosen when connecting. */
    setsockopt(stranger->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
    if (bind(stranger->fd, (const struct sockaddr *)&source->socket, source->length) != 0) {
        perror("strangers: bind");
        exit(EX_OSERR);
    }
    if (connect(stranger->fd, (const struct sockaddr *)&strangers->target.socket,
                strangers->target.length) != 0 &&
        errno != EINPROGRESS) {
        if (errno == EADDRNOTAVAIL) {
            strangers->no_port++;
            close(stranger->fd);
            stranger->fd = -1;
            return false;
        }
        leave_with_error(strangers, stranger, errno);
        return true;
    }
    epoll_ctl(strangers->epoll, EPOLL_CTL_ADD, stranger->fd, &event);
    return true;
}

/* Up to `count` bytes more of its request. False: it has left. */
static bool say(struct strangers *strangers, struct stranger *stranger, size_t count)
{
    size_t rest = stranger->length - stranger->sent;
    ssize_t sent;

    if (count > rest)
        count = rest;
    if (count == 0)
        return true;
    sent = send(stranger->fd, stranger->request + stranger->sent, count, MSG_NOSIGNAL);
    if (sent < 0) {
        leave_with_error(strangers, stranger, errno);
        return false;
    }
    stranger->sent += (size_t)sent;
    return true;
}

static void leave_with_reset(struct strangers *strangers, struct stranger *stranger)
{
    struct linger linger = {.l_onoff = 1};

    if (strangers->came % 2 == 0 && !say(strangers, stranger, stranger->length / 2))
        return;
    setsockopt(stranger->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    leave(strangers, stranger, FATE_LEFT);
}

static void begin(struct strangers *strangers, struct stranger *stranger)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = stranger};
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(stranger->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        leave_with_error(strangers, stranger, error);
        return;
    }
    stranger->connected = true;
    strangers->connected++;
    if (++strangers->at_once > strangers->most_at_once)
        strangers->most_at_once = strangers->at_once;
    epoll_ctl(strangers->epoll, EPOLL_CTL_MOD, stranger->fd, &event);
    if (strangers->kind == KIND_RESET)
        leave_with_reset(strangers, stranger);
    else if (strangers->kind == KIND_SLOW)
        stranger->due_us = now_us();
    else if (say(strangers, stranger, stranger->length) && strangers->kind == KIND_MALFORMED)
        (void)shutdown(stranger->fd, SHUT_WR);
}

static void hear(struct strangers *strangers, struct stranger *stranger)
{
    char bytes[4096];

    for (;;) {
        ssize_t got = recv(stranger->fd, bytes, sizeof(bytes), 0);

        if (got > 0) {
            stranger->heard = true;
            continue;
        }
        if (got == 0)
            leave(strangers, stranger, stranger->heard ? FATE_ANSWERED : FATE_CLOSED);
        else if (errno != EAGAIN)
            leave_with_error(strangers, stranger, errno);
        return;
    }
}

/* What time brings: more of them as the pace allows, the next byte, the end of patience. */
static void tick(struct strangers *strangers, bool more)
{
    bool port = true;

    for (size_t i = 0; i < strangers->parallel; i++) {
        struct stranger *stranger = &strangers->list[i];
        uint64_t now = now_us();

        if (stranger->fd < 0) {
            if (more && port && stranger->due_us <= now &&
                strangers->came < strangers->rate * (now - strangers->began_us) / SECOND_US)
                port = come(strangers, stranger);
        } else if (!stranger->connected || !stays(strangers)) {
            if (now - stranger->began_us > TIMEOUT_US)
                leave(strangers, stranger, FATE_TIMEOUT);
        } else if (strangers->kind == KIND_SLOW && stranger->due_us <= now) {
            stranger->due_us += SECOND_US;
            (void)say(strangers, stranger, 1);
        }
    }
}

static bool is_anybody_here(const struct strangers *strangers)
{
    for (size_t i = 0; i < strangers->parallel; i++)
        if (strangers->list[i].fd >= 0)
            return true;
    return false;
}

static void run(struct strangers *strangers)
{
    struct epoll_event events[EVENTS_AT_ONCE];

    strangers->began_us = now_us();
    for (;;) {
        bool more = now_us() - strangers->began_us < strangers->seconds * SECOND_US;
        int count;

        if (!more && (stays(strangers) || !is_anybody_here(strangers)))
            break;
        tick(strangers, more);
        count = epoll_wait(strangers->epoll, events, EVENTS_AT_ONCE, TICK_MS);
        for (int i = 0; i < count; i++) {
            struct stranger *stranger = events[i].data.ptr;

            if (stranger->connected)
                hear(strangers, stranger);
            else
                begin(strangers, stranger);
        }
    }
    for (size_t i = 0; i < strangers->parallel; i++)
        if (strangers->list[i].fd >= 0)
            leave(strangers, &strangers->list[i], FATE_LEFT);
}

static void report(const struct strangers *strangers)
{
    printf("{\"came\": %" PRIu64 ", \"connected\": %" PRIu64 ", \"at_once\": %" PRIu64
           ", \"no_port\": %" PRIu64,
           strangers->came, strangers->connected, strangers->most_at_once, strangers->no_port);
    for (size_t i = 0; i < FATE_COUNT; i++)
        printf(", \"%s\": %" PRIu64, fate_names[i], strangers->fates[i]);
    printf("}\n");
}

int main(int argc, char **argv)
{
    static struct strangers strangers;

    if (!parse(&strangers, argc, argv)) {
        fputs("usage: strangers KIND SECONDS PARALLEL RATE TARGET SOURCE...\n", stderr);
        return EX_USAGE;
    }
    strangers.epoll = epoll_create1(EPOLL_CLOEXEC);
    strangers.list = calloc(strangers.parallel, sizeof(*strangers.list));
    if (strangers.epoll < 0 || !strangers.list) {
        perror("strangers");
        return EX_OSERR;
    }
    for (size_t i = 0; i < strangers.parallel; i++)
        strangers.list[i].fd = -1;
    run(&strangers);
    report(&strangers);
    free(strangers.list);
    close(strangers.epoll);
    return EX_OK;
}
