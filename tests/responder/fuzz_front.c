// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The request path as it is: bytes arrive on a TCP connection, cut in two, are looked at, judged
 * and answered by the front or by libmicrohttpd. The key authorization is given to a well-formed
 * GET of exactly that target, and to nothing else.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/require.h"
#include "responder/clock.h"
#include "responder/front.h"
#include "wicket/challenge.h"

#define TOKEN             "token"
#define KEY_AUTHORIZATION TOKEN ".NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
#define INPUT_MAX         16000
#define HANG_MS           10000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    int epoll;
    int listener;
    struct sockaddr_in address;
    struct tokens tokens;
    struct connections connections;
    struct http http;
    struct front front;
    struct relays relays;
    unsigned served;
};

static bool is_printable(const char *text)
{
    for (; *text; text++) {
        if (*text < 0x20 || *text > 0x7e)
            return false;
    }
    return true;
}

static void world_served(void *context, const struct http_served *served)
{
    struct world *world = context;
    require(served->connection->loopback && served->status == 200);
    require(served->length == strlen(TOKEN) && memcmp(served->token, TOKEN, served->length) == 0);
    require(strlen(served->host) < LINK_HOST_MAX && is_printable(served->host));
    require(strlen(served->user_agent) < LINK_USER_AGENT_MAX && is_printable(served->user_agent));
    world->served++;
}

static bool world_wants_told(void *context, uint64_t now_ms)
{
    (void)context;
    return now_ms > 0;
}

static bool world_refresh(void *context)
{
    (void)context;
    return false;
}

static void world_init(struct world *world)
{
    socklen_t length = sizeof(world->address);
    int one = 1;

    *world = (struct world){.address.sin_family = AF_INET};
    world->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    world->epoll = epoll_create1(EPOLL_CLOEXEC);
    world->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* Thousands of runs leave thousands of ports in TIME_WAIT. */
    require(setsockopt(world->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
    require(bind(world->listener, (struct sockaddr *)&world->address, length) == 0);
    require(listen(world->listener, 8) == 0);
    require(getsockname(world->listener, (struct sockaddr *)&world->address, &length) == 0);
    tokens_init(&world->tokens);
    require(tokens_put(&world->tokens, KEY_AUTHORIZATION));
    require(connections_init(&world->connections, world->epoll, 16, 8, 8) == 0);
    world->http.other_requests = LINK_OTHER_HTTPS;
    world->http.connections = &world->connections;
    world->http.tokens = &world->tokens;
    world->http.served = world_served;
    world->http.wants_told = world_wants_told;
    world->http.context = world;
    require(http_init(&world->http, NULL) == 0);
    world->front.epoll = world->epoll;
    world->front.deadline_ms = 60000;
    world->front.connections = &world->connections;
    world->front.http = &world->http;
    world->front.relays = &world->relays;
    world->front.refresh = world_refresh;
    world->front.answers.connections = &world->connections;
    world->front.answers.tokens = &world->tokens;
    world->front.answers.http = &world->http;
    require(front_init(&world->front, &world->listener, 1, NULL) == 0);
}

static void world_deinit(struct world *world)
{
    front_deinit(&world->front);
    http_deinit(&world->http);
    connections_deinit(&world->connections);
    tokens_deinit(&world->tokens);
    close(world->epoll);
}

/* One round of the loop, without waiting. */
static void world_round(struct world *world)
{
    struct epoll_event events[16];
    int count = epoll_wait(world->epoll, events, 16, 0);

    front_begin_round(&world->front);
    for (int i = 0; i < count; i++) {
        if (*(const enum source *)events[i].data.ptr == SOURCE_CONNECTION)
            front_event(&world->front, events[i].data.ptr, events[i].events, clock_now_ms());
    }
    front_accept(&world->front, &world->front.listeners[0], clock_now_ms());
    while (http_run(&world->http, clock_now_ms()))
        ;
    connections_reap(&world->connections);
}

/* libFuzzer looks at the time in a signal's handler: what it interrupts goes on by itself. */
static int visitor_connect(const struct world *world)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result;

    do
        result = connect(fd, (const struct sockaddr *)&world->address, sizeof(world->address));
    while (result != 0 && (errno == EINTR || errno == EALREADY));
    require(result == 0 || errno == EISCONN);
    return fd;
}

static void wait_for_either(struct pollfd ready[2])
{
    int count;

    do {
        count = poll(ready, 2, HANG_MS);
    } while (count < 0 && errno == EINTR);
    require(count > 0);
}

static void visitor_send(int fd, const uint8_t *bytes, size_t size)
{
    if (size > 0) /* the other side may have ended the connection by then */
        (void)send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool is_get_of_token(const struct head *head)
{
    static const char path[] = CHALLENGE_PATH_PREFIX TOKEN;
    return head->method_length == 3 && memcmp(head->method, "GET", 3) == 0 &&
           head->parts.path_length == strlen(path) &&
           memcmp(head->parts.path, path, strlen(path)) == 0;
}

static void check_answer(const char *answer, size_t length, enum head_verdict verdict,
                         const struct head *head, bool told)
{
    const char *body = strstr(answer, "\r\n\r\n"); /* a Location may repeat what was asked for */
    bool has = body && strcmp(body + 4, KEY_AUTHORIZATION) == 0;
    bool somewhere = body && strstr(body, KEY_AUTHORIZATION);
    bool may = verdict == HEAD_COMPLETE && is_get_of_token(head);

    require(has == may && told == may && somewhere == may);
    require(length == 0 || (length > 13 && memcmp(answer, "HTTP/1.1 ", 9) == 0));
    if (verdict == HEAD_REFUSED)
        require(atoi(answer + 9) == (int)head->status);
    if (verdict == HEAD_COMPLETE)
        require(length > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char answer[16384];
    size_t length = 0;
    struct world world;
    struct head head;

    if (size > INPUT_MAX)
        return 0;
    enum head_verdict verdict = head_parse(&head, (const char *)data, size);
    world_init(&world);
    int fd = visitor_connect(&world);
    size_t cut = size > 0 ? data[size - 1] % size : 0;
    /* What comes later on a connection that is kept would be another request. */
    if (verdict == HEAD_COMPLETE && head.keep && cut >= head.skip + head.length)
        cut = 0;
    visitor_send(fd, data, cut);
    world_round(&world);
    visitor_send(fd, data + cut, size - cut);
    shutdown(fd, SHUT_WR);
    for (ssize_t got = -1; got != 0;) {
        struct pollfd ready[] = {{.fd = fd, .events = POLLIN},
                                 {.fd = world.epoll, .events = POLLIN}};
        wait_for_either(ready);
        world_round(&world);
        got = recv(fd, answer + length, sizeof(answer) - 1 - length, MSG_DONTWAIT);
        require(got >= 0 || errno == EAGAIN);
        length += got > 0 ? (size_t)got : 0;
    }
    answer[length] = '\0';
    close(fd);
    check_answer(answer, length, verdict, &head, world.served > 0);
    world_deinit(&world);
    return 0;
}
