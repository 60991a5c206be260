// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/http.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/escape.h"
#include "responder/target.h"
#include "wicket/challenge.h"
#include "wicket/log.h"

/* One request, from its first line to its last byte: libmicrohttpd's per-request pointer. */
struct http_request {
    struct connection *connection;
    bool told; /* a validation, if it gets out in full */
    unsigned status;
    char host[LINK_HOST_MAX]; /* of one that is told */
    char user_agent[LINK_USER_AGENT_MAX];
    size_t length;
    char target[]; /* raw, as it came */
};

/* ---- what libmicrohttpd tells ---- */

static struct connection *http_connection(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* A body that nobody reads, or more than the head: closing now would reset the connection, and
 * the peer might lose the answer. */
static bool http_has_unread(const struct connection *connection)
{
    int unread = 0;
    return connection->body || (ioctl(connection->fd, FIONREAD, &unread) == 0 && unread > 0);
}

static void http_connection_changed(void *context, struct MHD_Connection *mhd,
                                    void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    struct http *http = context;
    struct connection *connection = *socket_context;

    (void)mhd;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = http->adding;
        http->adding = NULL;
        return;
    }
    /* The socket is closed right after this call; a duplicate keeps the connection. */
    int fd = -1;
    if (!connection->cut_off && http_has_unread(connection)) {
        fd = fcntl(connection->fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            http->connections->exhausted |= LINK_EXHAUSTED_FDS;
    }
    connection->fd = fd;
    if (fd >= 0)
        connections_linger(http->connections, connection, http->now_ms);
    else
        connections_close(http->connections, connection);
}

static void *http_request_started(void *context, const char *uri, struct MHD_Connection *mhd)
{
    size_t length = uri ? strlen(uri) : 0;
    struct http_request *request = malloc(sizeof(*request) + length + 1);

    (void)context;
    if (!request)
        return NULL;
    request->connection = http_connection(mhd);
    request->told = false;
    request->length = length;
    memcpy(request->target, uri ? uri : "", length + 1);
    return request;
}

static void http_request_ended(void *context, struct MHD_Connection *mhd, void **request_context,
                               enum MHD_RequestTerminationCode code)
{
    struct http *http = context;
    struct http_request *request = *request_context;

    (void)mhd;
    if (!request)
        return;
    if (request->told && code == MHD_REQUEST_TERMINATED_COMPLETED_OK) {
        struct target target;
        size_t length = 0;
        if (!request->connection->loopback)
            http->connections->counters.validations++;
        const char *token = target_split(&target, request->target, request->length)
                                ? target_token(&target, &length)
                                : NULL;
        if (token) {
            const struct http_served served = {
                .connection = request->connection,
                .token = token,
                .length = length,
                .status = request->status,
                .host = request->host,
                .user_agent = request->user_agent,
                .now_ms = http->now_ms,
            };
            http->served(http->context, &served);
        }
    }
    free(request);
    *request_context = NULL;
}

/* ---- answers ---- */

static struct MHD_Response *response_create(const char *body, size_t length,
                                            enum MHD_ResponseMemoryMode mode,
                                            const char *content_type)
{
    /* libmicrohttpd does not write through the pointer; its type is older than const. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, (void *)(uintptr_t)body, mode);
    if (!response)
        return NULL;
    if (!MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type) ||
        !MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") ||
        !MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") ||
        !MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close")) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

static struct MHD_Response *response_create_text(const char *text)
{
    return response_create(text, strlen(text), MHD_RESPMEM_PERSISTENT, "text/plain");
}

/* libmicrohttpd closes the connection. */
static enum MHD_Result answer_nothing(struct http *http)
{
    http->connections->exhausted |= LINK_EXHAUSTED_MEMORY;
    return MHD_NO;
}

/* A key authorization has neither an entity tag nor a date, so that of all preconditions these can
 * fail (RFC 9110 section 13.2.2). */
static unsigned token_status(struct MHD_Connection *mhd)
{
    const char *match = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_MATCH);
    const char *none =
        MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);

    if (match && strcmp(match, "*") != 0)
        return MHD_HTTP_PRECONDITION_FAILED;
    return none && strcmp(none, "*") == 0 ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK;
}

/* What a field says, made fit to be told; nothing when it is not there. */
static void tell_field(char *out, size_t capacity, struct MHD_Connection *mhd, const char *name)
{
    const char *value = NULL;
    size_t length = 0;

    if (MHD_lookup_connection_value_n(mhd, MHD_HEADER_KIND, name, strlen(name), &value, &length) ==
            MHD_YES &&
        value)
        (void)escape_quoted(out, capacity, value, length);
    else
        out[0] = '\0';
}

static void tell_request(struct http_request *request, const struct target *target,
                         struct MHD_Connection *mhd)
{
    if (target->absolute)
        (void)escape_quoted(request->host, sizeof(request->host), target->host,
                            target->host_length);
    else
        tell_field(request->host, sizeof(request->host), mhd, MHD_HTTP_HEADER_HOST);
    tell_field(request->user_agent, sizeof(request->user_agent), mhd, MHD_HTTP_HEADER_USER_AGENT);
}

static enum MHD_Result answer_token(struct http *http, struct http_request *request,
                                    const struct target *target, struct MHD_Connection *mhd,
                                    const char *key_authorization, bool get)
{
    unsigned status = token_status(mhd);

    if (status == MHD_HTTP_PRECONDITION_FAILED)
        return MHD_queue_response(mhd, status, http->precondition_failed);
    struct MHD_Response *response =
        response_create(key_authorization, strlen(key_authorization), MHD_RESPMEM_MUST_COPY,
                        "application/octet-stream");
    if (!response)
        return answer_nothing(http);
    enum MHD_Result result = MHD_queue_response(mhd, status, response);
    MHD_destroy_response(response);
    if (result == MHD_YES && status == MHD_HTTP_OK) {
        request->connection->token_served = true;
        request->told = get;
        request->status = status;
        tell_request(request, target, mhd);
    }
    return result;
}

/* The host, without its port, that this request is for; NULL when it does not say. */
static const char *request_host(const struct target *target, struct MHD_Connection *mhd,
                                size_t *length)
{
    const char *host = target->host;
    size_t host_length = target->host_length;

    if (!target->absolute) {
        host = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
        host_length = host ? strlen(host) : 0;
    }
    if (!host || !target_host_is_valid(host, host_length, length) || *length == 0)
        return NULL;
    return host;
}

static enum MHD_Result answer_https(struct http *http, const struct target *target,
                                    struct MHD_Connection *mhd)
{
    char location[sizeof("https:///") + TARGET_HOST_MAX + TARGET_MAX];
    size_t host_length = 0;
    const char *host = request_host(target, mhd, &host_length);

    if (!host)
        return MHD_queue_response(mhd, MHD_HTTP_NOT_FOUND, http->not_found);
    bool rooted = target->path_length > 0 && target->path[0] == '/';
    (void)snprintf(location, sizeof(location), "https://%.*s%s%.*s", (int)host_length, host,
                   rooted ? "" : "/", (int)target->path_length, target->path);
    struct MHD_Response *response = response_create_text("moved to https\n");
    if (!response)
        return answer_nothing(http);
    enum MHD_Result result = MHD_NO;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, location))
        result = MHD_queue_response(mhd, MHD_HTTP_PERMANENT_REDIRECT, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result http_answer(void *context, struct MHD_Connection *mhd, const char *url,
                                   const char *method, const char *version, const char *upload,
                                   size_t *upload_size, void **request_context)
{
    struct http *http = context;
    struct http_request *request = *request_context;
    struct target target;

    (void)url;
    (void)version;
    (void)upload;
    (void)upload_size;
    if (!request)
        return answer_nothing(http);
    /* Two readers of the same bytes have to agree on what was asked for. */
    if (request->length != request->connection->target_length ||
        !target_split(&target, request->target, request->length))
        return MHD_queue_response(mhd, MHD_HTTP_BAD_REQUEST, http->bad_request);

    size_t length = 0;
    const char *token = target_token(&target, &length);
    if (token) {
        char text[CHALLENGE_KEY_AUTHORIZATION_MAX + 1];
        const char *key_authorization = tokens_answer(http->tokens, text, token, length);
        bool get = strcmp(method, MHD_HTTP_METHOD_GET) == 0;
        if (!key_authorization && challenge_is_token(token, length))
            connections_note_unknown(http->connections, request->connection);
        if (!key_authorization) /* never a 308: a validator must not be sent elsewhere */
            return MHD_queue_response(mhd, MHD_HTTP_NOT_FOUND, http->not_found);
        if (get || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)
            return answer_token(http, request, &target, mhd, key_authorization, get);
        return MHD_queue_response(mhd, MHD_HTTP_METHOD_NOT_ALLOWED, http->not_allowed);
    }
    if (http->other_requests == LINK_OTHER_HTTPS)
        return answer_https(http, &target, mhd);
    return MHD_queue_response(mhd, MHD_HTTP_NOT_FOUND, http->not_found);
}

/* ---- the daemon ---- */

static void http_panic(void *context, const char *file, unsigned line, const char *reason)
{
    (void)context;
    log_errorx("libmicrohttpd cannot go on: %s (%s:%u)", reason ? reason : "no reason given",
               file ? file : "?", line);
    abort();
}

static bool http_prepare_answers(struct http *http)
{
    http->not_found = response_create_text("not found\n");
    http->not_allowed = response_create_text("method not allowed\n");
    http->bad_request = response_create_text("bad request\n");
    http->precondition_failed = response_create_text("precondition failed\n");
    return http->not_found && http->not_allowed && http->bad_request && http->precondition_failed &&
           MHD_add_response_header(http->not_allowed, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
}

int http_init(struct http *http, struct error *error)
{
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TURBO;
#if MHD_VERSION >= 0x01000000
    flags |= MHD_USE_NO_THREAD_SAFETY;
#endif

    http->source = SOURCE_HTTP;
    http->epoll = -1;
    MHD_set_panic_func(http_panic, NULL);
    if (!http_prepare_answers(http)) {
        http_deinit(http);
        return error_set(error, 70, "libmicrohttpd: cannot prepare the answers");
    }
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, http_answer, http, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)http->connections->max, MHD_OPTION_URI_LOG_CALLBACK, http_request_started, http,
        MHD_OPTION_NOTIFY_COMPLETED, http_request_ended, http, MHD_OPTION_NOTIFY_CONNECTION,
        http_connection_changed, http, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        http->daemon ? MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info) {
        http_deinit(http);
        return error_set_errno(error, 70, "libmicrohttpd does not start");
    }
    http->epoll = info->epoll_fd;
    return 0;
}

static void response_destroy(struct MHD_Response **response)
{
    if (*response)
        MHD_destroy_response(*response);
    *response = NULL;
}

void http_deinit(struct http *http)
{
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    http->daemon = NULL;
    http->epoll = -1;
    response_destroy(&http->not_found);
    response_destroy(&http->not_allowed);
    response_destroy(&http->bad_request);
    response_destroy(&http->precondition_failed);
}

void http_add(struct http *http, struct connection *connection)
{
    /* libmicrohttpd keeps a copy and has no use for it. */
    struct sockaddr_in nobody = {.sin_family = AF_INET};

    http->due = true;
    http->adding = connection;
    if (MHD_add_connection(http->daemon, connection->fd, (struct sockaddr *)&nobody,
                           sizeof(nobody)) == MHD_YES)
        return;
    /* The socket is closed; unless http_connection_changed was told, so is nothing else. */
    http->connections->exhausted |= LINK_EXHAUSTED_MEMORY;
    if (http->adding) {
        http->adding = NULL;
        connection->fd = -1;
        connections_close(http->connections, connection);
    }
}

bool http_run(struct http *http, uint64_t now_ms)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms = 1;

    http->now_ms = now_ms;
    (void)MHD_run(http->daemon);
    http->due = MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0;
    return http->due;
}

void http_cut_off(struct connection *connection)
{
    connection->cut_off = true;
    (void)shutdown(connection->fd, SHUT_RDWR);
}
