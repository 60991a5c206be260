// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/fetch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cli/answer.h"
#include "cli/deadline.h"
#include "wicket/quote.h"

/* Waits for `events`; false with the reason at the deadline. */
static bool await(int fd, short events, uint64_t deadline_ms, const char *doing, char *reason,
                  size_t capacity)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    int ready;
    do {
        ready = poll(&poll_fd, 1, deadline_left(deadline_ms));
    } while (ready < 0 && errno == EINTR);
    if (ready > 0) {
        return true;
    }
    snprintf(reason, capacity, "timed out %s", doing);
    return false;
}

static bool finish_connect(int fd, uint64_t deadline_ms, char *reason, size_t capacity)
{
    if (!await(fd, POLLOUT, deadline_ms, "connecting", reason, capacity)) {
        return false;
    }
    int failure = 0;
    socklen_t length = sizeof failure;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) < 0) {
        failure = errno;
    }
    if (failure != 0) {
        snprintf(reason, capacity, "%s",
                 failure == ECONNREFUSED ? "connection refused" : strerror(failure));
        return false;
    }
    return true;
}

static bool send_all(int fd, const char *bytes, size_t length, uint64_t deadline_ms, char *reason,
                     size_t capacity)
{
    while (length > 0) {
        if (!await(fd, POLLOUT, deadline_ms, "sending the request", reason, capacity)) {
            return false;
        }
        const ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            snprintf(reason, capacity, "sending the request: %s", strerror(errno));
            return false;
        }
        if (sent > 0) {
            bytes += sent;
            length -= (size_t)sent;
        }
    }
    return true;
}

static bool judge(const struct answer *answer, const struct challenge *challenge, char *reason,
                  size_t capacity)
{
    if (answer->status != 200) {
        const char *server =
            answer->server == NULL ? "\"\"" : QUOTE(answer->server, answer->server_length);
        snprintf(reason, capacity, "%d from Server: %s", answer->status, server);
        return false;
    }
    const size_t length = strlen(challenge->key_authorization);
    if (answer->body_length != length ||
        memcmp(answer->body, challenge->key_authorization, length) != 0) {
        snprintf(reason, capacity, "200 with another body: %s",
                 QUOTE(answer->body, answer->body_length));
        return false;
    }
    return true;
}

static bool read_answer(int fd, const struct challenge *challenge, uint64_t deadline_ms,
                        char *reason, size_t capacity)
{
    char bytes[ANSWER_MAX];
    size_t length = 0;
    bool ended = false;
    struct answer answer;
    enum answer_state state = ANSWER_INCOMPLETE;
    while (state == ANSWER_INCOMPLETE) {
        if (!await(fd, POLLIN, deadline_ms, "waiting for the answer", reason, capacity)) {
            return false;
        }
        const ssize_t got = recv(fd, bytes + length, sizeof bytes - length, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            continue;
        }
        if (got < 0 || (got == 0 && length == 0)) {
            snprintf(reason, capacity, "no answer: %s",
                     got < 0 ? strerror(errno) : "the connection was closed");
            return false;
        }
        ended = got == 0;
        length += (size_t)got;
        state = answer_parse(&answer, bytes, length, ended);
    }
    if (state == ANSWER_MALFORMED) {
        snprintf(reason, capacity, "not the answer to a challenge: %s", QUOTE(bytes, length));
        return false;
    }
    return judge(&answer, challenge, reason, capacity);
}

bool fetch_challenge(int fd, const char *host, const struct challenge *challenge,
                     uint64_t timeout_ms, char *reason, size_t capacity)
{
    const uint64_t deadline_ms = deadline_in(timeout_ms);
    char request[CHALLENGE_TOKEN_MAX + 256];
    const int length = snprintf(request, sizeof request,
                                "GET " CHALLENGE_PATH_PREFIX "%s HTTP/1.1\r\n"
                                "Host: %.100s\r\n"
                                "User-Agent: wicket\r\n"
                                "Connection: close\r\n"
                                "\r\n",
                                challenge->token, host);
    return finish_connect(fd, deadline_ms, reason, capacity) &&
           send_all(fd, request, (size_t)length, deadline_ms, reason, capacity) &&
           read_answer(fd, challenge, deadline_ms, reason, capacity);
}
