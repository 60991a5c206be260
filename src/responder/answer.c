// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/answer.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/escape.h"
#include "wicket/challenge.h"
#include "wicket/link.h"

#define ANSWER_MAX (320 + CHALLENGE_KEY_AUTHORIZATION_MAX)
/* Who is kept is told so no later than that before the deadline, or would be cut off in the middle
 * of a request. */
#define KEEP_LEAST_MS 1000

static char *put(char *at, const char *text, size_t length)
{
    memcpy(at, text, length);
    return at + length;
}

#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

static char *put_number(char *at, size_t number)
{
    char digits[20];
    size_t first = sizeof(digits);

    do
        digits[--first] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return put(at, digits + first, sizeof(digits) - first);
}

/* Piece by piece: printf takes longer than all else that is done for an answer here. */
static size_t answer_write(char out[ANSWER_MAX], const char *key_authorization, bool keep,
                           const char *date)
{
    size_t length = strlen(key_authorization);
    char *at = PUT(out, "HTTP/1.1 200 OK\r\nDate: ");

    at = put(at, date, strlen(date));
    at = keep ? PUT(at, "\r\nConnection: keep-alive") : PUT(at, "\r\nConnection: close");
    at = PUT(at, "\r\nContent-Type: application/octet-stream"
                 "\r\nX-Content-Type-Options: nosniff"
                 "\r\nCache-Control: no-store"
                 "\r\nContent-Length: ");
    at = put_number(at, length);
    at = PUT(at, "\r\n\r\n");
    at = put(at, key_authorization, length);
    return (size_t)(at - out);
}

static void tell(struct answers *answers, struct connection *connection, const struct head *head,
                 const char *token, size_t token_length, uint64_t now_ms)
{
    const struct target *target = &head->parts;
    struct http *http = answers->http;
    char host[LINK_HOST_MAX], user_agent[LINK_USER_AGENT_MAX];
    const struct http_served served = {
        .connection = connection,
        .token = token,
        .length = token_length,
        .status = 200,
        .host = host,
        .user_agent = user_agent,
        .now_ms = now_ms,
    };

    if (!connection->loopback)
        answers->connections->counters.validations++;
    if (!http->wants_told(http->context, now_ms))
        return;
    (void)escape_quoted(host, sizeof(host), target->absolute ? target->host : head->host,
                        target->absolute ? target->host_length : head->host_length);
    (void)escape_quoted(user_agent, sizeof(user_agent), head->user_agent ? head->user_agent : "",
                        head->user_agent_length);
    http->served(http->context, &served);
}

/* Takes the request out of the socket, and looks whether more has come behind it since: what is
 * unread at a close resets the connection, and the peer might lose the answer. -1: it is gone. */
static int consume(struct answers *answers, const struct connection *connection, size_t length,
                   bool keep)
{
    /* tcp(7): with MSG_TRUNC the bytes are discarded where they are. */
    ssize_t got = recv(connection->fd, answers->discarded, keep ? length : length + 1,
                       MSG_TRUNC | MSG_DONTWAIT);

    if (got < (ssize_t)length)
        return -1;
    return got > (ssize_t)length;
}

/* Of a look that was full nobody knows whether it was all that is there. */
static bool may_be_kept(const struct connection *connection, const struct head *head, size_t length,
                        uint64_t now_ms)
{
    return head->keep && length < HEAD_LOOK && now_ms + KEEP_LEAST_MS < connection->deadline_ms;
}

bool answers_give(struct answers *answers, struct connection *connection, const struct head *head,
                  size_t length, bool may_keep, uint64_t now_ms)
{
    char stateless[CHALLENGE_KEY_AUTHORIZATION_MAX + 1], answer[ANSWER_MAX];
    size_t token_length = 0;

    if (!head->plain || length != head->skip + head->length)
        return false;
    const char *token = target_token(&head->parts, &token_length);
    const char *key_authorization =
        token ? tokens_answer(answers->tokens, stateless, token, token_length) : NULL;
    if (!key_authorization)
        return false;
    bool keep = may_keep && may_be_kept(connection, head, length, now_ms);
    size_t answer_length =
        answer_write(answer, key_authorization, keep, date_of(&answers->date, time(NULL)));
    int more = consume(answers, connection, length, keep);
    /* An answer of that size always fits, but where a peer asks on and on and reads nothing. The
     * last one leaves together with the end of the connection. */
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (keep ? 0 : MSG_MORE);
    if (more < 0 || send(connection->fd, answer, answer_length, flags) != (ssize_t)answer_length) {
        connections_close(answers->connections, connection);
        return true;
    }
    connection->token_served = true;
    connection->kept = keep;
    if (keep)
        connections_speak(answers->connections, connection);
    else
        (void)shutdown(connection->fd, SHUT_WR); /* what comes from now on cannot hold it back */
    tell(answers, connection, head, token, token_length, now_ms);
    if (keep)
        return true;
    if (more > 0)
        connections_linger(answers->connections, connection, now_ms);
    else
        connections_close(answers->connections, connection);
    return true;
}
