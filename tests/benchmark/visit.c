// SPDX-License-Identifier: GPL-2.0-or-later
#include "visit.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    PIECE = 256 * 1024, /* of an answer, read at once */
    EDGE = 64,          /* of a piece, compared at both ends */
};

int visit_connect(struct visit *visit, const struct plan *plan, const struct plan_address *from,
                  struct error *error)
{
    const int fd =
        socket(plan->to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return error_set_errno(error, EX_OSERR, "socket");
    }
    *visit = (struct visit){.fd = fd};
    if (from != NULL) {
        /* The port is chosen by connect(), which knows which ones are free towards there. */
        const int on = 1;
        if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0 ||
            bind(fd, (const struct sockaddr *)&from->storage, from->length) < 0) {
            return error_set_errno(error, EX_OSERR, "bind");
        }
    }
    if (connect(fd, (const struct sockaddr *)&plan->to.storage, plan->to.length) < 0 &&
        errno != EINPROGRESS) {
        return error_set_errno(error, EX_UNAVAILABLE, "connect");
    }
    return 0;
}

void visit_ask(struct visit *visit, uint64_t due)
{
    visit->asking = true;
    visit->due = due;
    visit->sent = 0;
    visit->body_read = 0;
    visit->in_body = false;
    visit->to_end = false;
    visit->last = false;
    visit->head_length = 0;
}

static int send_request(struct visit *visit, const struct plan *plan, struct error *error)
{
    const uint64_t all = plan->request_length + plan->body.length;
    while (visit->sent < all) {
        const bool head = visit->sent < plan->request_length;
        const char *from = head ? plan->request + visit->sent
                                : plan->body.data + (visit->sent - plan->request_length);
        const size_t left =
            (size_t)((head ? plan->request_length : (size_t)all) - (size_t)visit->sent);
        const int more = head && plan->body.length > 0 ? MSG_MORE : 0;
        const ssize_t length = send(visit->fd, from, left, MSG_NOSIGNAL | more);
        if (length < 0) {
            if (errno == EAGAIN) {
                return 0;
            }
            return error_set_errno(error, EX_UNAVAILABLE, "sending a request");
        }
        visit->sent += (uint64_t)length;
    }
    return 0;
}

/* The value of a field of the head, whatever the case of its name; NULL: there is none. */
static const char *find_field(const struct visit *visit, const char *name)
{
    const char *const found = strcasestr(visit->head, name);
    return found != NULL ? found + strlen(name) + strspn(found + strlen(name), " ") : NULL;
}

static int read_length(struct visit *visit, const struct plan *plan, struct error *error)
{
    const char *const length = find_field(visit, "\r\nContent-Length:");
    visit->to_end = length == NULL && strncmp(visit->head + 8, " 204 ", 5) != 0;
    visit->length = length != NULL ? strtoull(length, NULL, 10) : 0;
    if (!visit->to_end) {
        return 0;
    }
    if (!visit->last) {
        return error_set(error, EX_PROTOCOL, "an answer without a length");
    }
    visit->length = plan->expect.length;
    return 0;
}

/* The next request over this connection would not be answered (RFC 9112 section 9.3). */
static bool says_last(const struct visit *visit, const struct plan *plan)
{
    const char *const connection = find_field(visit, "\r\nConnection:");
    if (!plan->keep_alive) {
        return !plan->close_first;
    }
    if (connection == NULL) {
        return strncmp(visit->head, "HTTP/1.0", 8) == 0;
    }
    return strncasecmp(connection, "close", strlen("close")) == 0;
}

static int check_head(struct visit *visit, const struct plan *plan, struct error *error)
{
    static const char *const good[] = {" 200 ", " 201 ", " 204 "};
    bool is_good = false;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        is_good = is_good || (strncmp(visit->head, "HTTP/1.", 7) == 0 && visit->head[7] != '\0' &&
                              strncmp(visit->head + 8, good[i], strlen(good[i])) == 0);
    }
    if (!is_good) {
        return error_set(error, EX_PROTOCOL, "the answer was \"%.*s\"",
                         (int)strcspn(visit->head, "\r"), visit->head);
    }
    if (visit->sent != plan->request_length + plan->body.length) {
        return error_set(error, EX_PROTOCOL, "an answer before all was sent");
    }
    visit->last = says_last(visit, plan);
    if (plan->keep_alive && visit->last && !plan->or_close) {
        return error_set(error, EX_PROTOCOL, "closed a connection that was to be kept");
    }
    if (read_length(visit, plan, error) < 0) {
        return -1;
    }
    if (visit->length != plan->expect.length) {
        return error_set(error, EX_PROTOCOL, "an answer of %llu bytes instead of %zu",
                         (unsigned long long)visit->length, plan->expect.length);
    }
    return 0;
}

static bool same(const char *data, const char *expected, size_t length, bool all)
{
    if (all || length <= 2 * EDGE) {
        return memcmp(data, expected, length) == 0;
    }
    const size_t last = length - EDGE;
    return memcmp(data, expected, EDGE) == 0 && memcmp(data + last, expected + last, EDGE) == 0;
}

static int take_body(struct visit *visit, const struct plan *plan, const char *data, size_t length,
                     struct error *error)
{
    if (length > visit->length - visit->body_read) {
        return error_set(error, EX_PROTOCOL, "more bytes than the answer's length");
    }
    if (length > 0 &&
        !same(data, plan->expect.data + visit->body_read, length, plan->compare_all)) {
        return error_set(error, EX_PROTOCOL, "another body than expected, at byte %llu or after",
                         (unsigned long long)visit->body_read);
    }
    visit->body_read += length;
    return 0;
}

static int take(struct visit *visit, const struct plan *plan, const char *data, size_t length,
                struct error *error)
{
    if (!visit->asking) {
        return error_set(error, EX_PROTOCOL, "bytes after the answer");
    }
    if (!visit->in_body) {
        const size_t before = visit->head_length;
        const size_t room = sizeof visit->head - 1 - before;
        const size_t copied = length < room ? length : room;
        memcpy(visit->head + before, data, copied);
        visit->head_length += copied;
        visit->head[visit->head_length] = '\0';
        char *const end = strstr(visit->head, "\r\n\r\n");
        if (end == NULL) {
            return copied < room ? 0
                                 : error_set(error, EX_PROTOCOL, "the answer's head is endless");
        }
        end[2] = '\0';
        if (check_head(visit, plan, error) < 0) {
            return -1;
        }
        visit->in_body = true;
        const size_t of_head = (size_t)(end + 4 - visit->head) - before;
        data += of_head;
        length -= of_head;
    }
    return take_body(visit, plan, data, length, error);
}

static bool is_whole(const struct visit *visit)
{
    return visit->in_body && visit->body_read == visit->length;
}

int visit_go_on(struct visit *visit, const struct plan *plan, enum visit_state *state,
                struct error *error)
{
    static char piece[PIECE];
    *state = VISIT_PENDING;
    if (visit->asking && send_request(visit, plan, error) < 0) {
        return -1;
    }
    for (;;) {
        const ssize_t length = recv(visit->fd, piece, sizeof piece, 0);
        if (length < 0 && errno == EAGAIN) {
            return 0;
        }
        if (length < 0) {
            return error_set_errno(error, EX_UNAVAILABLE, "reading an answer");
        }
        if (length == 0 && visit->asking && visit->to_end && is_whole(visit)) {
            visit->asking = false;
            *state = VISIT_ANSWERED;
            return 0;
        }
        if (length == 0) {
            if (visit->asking) {
                return error_set(error, EX_PROTOCOL, "closed without a whole answer");
            }
            if (plan->keep_alive && !visit->last) {
                return error_set(error, EX_PROTOCOL, "closed a connection that was to be kept");
            }
            *state = VISIT_CLOSED;
            return 0;
        }
        if (take(visit, plan, piece, (size_t)length, error) < 0) {
            return -1;
        }
        if (!visit->to_end && is_whole(visit)) {
            visit->asking = false;
            *state = VISIT_ANSWERED;
            return 0;
        }
    }
}

void visit_close(struct visit *visit)
{
    close(visit->fd);
    visit->fd = -1;
}
