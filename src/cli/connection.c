// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/connection.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/deadline.h"
#include "cli/places.h"
#include "cli/watch.h"
#include "wicket/log.h"

void connection_close(struct connection *connection)
{
    if (connection->fd >= 0) {
        close(connection->fd);
    }
    connection->fd = -1;
}

/* As control_receive, but never past the deadline: -1 with ETIMEDOUT then. */
static ssize_t receive(int fd, union control_message *message, int *fd_out, uint64_t deadline_ms)
{
    *fd_out = -1;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    int ready;
    do {
        ready = poll(&poll_fd, 1, deadline_left(deadline_ms));
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) {
        errno = ready == 0 ? ETIMEDOUT : errno;
        return -1;
    }
    return control_receive(fd, message, fd_out);
}

/* Who listens was recorded by the kernel at listen(2): under systemd that is its root. */
static int check_listener(int fd, const char *path, struct error *error)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
        return error_set_errno(error, EX_OSERR, "%s: cannot tell who listens there", path);
    }
    if (peer.uid != 0 && peer.uid != geteuid()) {
        return error_set(
            error, EX_NOPERM,
            "%s: uid %u listens there, which is neither root nor you; not talking to it", path,
            (unsigned)peer.uid);
    }
    return 0;
}

static int connect_to(int fd, const struct settings *settings, uint64_t deadline_ms,
                      enum connection_state *state, struct error *error)
{
    /* Connecting waits for room in the queue of a keeper that does not accept, and sending for room
     * in that of one that does not read; without this, for ever. */
    const long left_ms = deadline_left(deadline_ms) + 1L; /* 0 would be for ever */
    const struct timeval patience = {.tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0) {
        return error_set_errno(error, EX_OSERR, "cannot make a socket");
    }
    const char *path = settings->config.control.socket;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    int result;
    do {
        result = connect(fd, (const struct sockaddr *)&address, sizeof address);
    } while (result < 0 && errno == EINTR);
    if (result == 0) {
        return check_listener(fd, path, error);
    }
    switch (errno) {
    case ENOENT:
    case ECONNREFUSED:
        *state = CONNECTION_NOBODY;
        return 0;
    case EAGAIN:
        return error_set(error, EX_TEMPFAIL, "%s: the keeper there takes no more connections",
                         path);
    case EACCES:
    case EPERM:
        return error_set(error, EX_NOPERM,
                         "%s: permission denied; be root or a member of the group %s", path,
                         settings->config.control.group);
    default:
        return error_set_errno(error, EX_UNAVAILABLE, "%s: cannot connect", path);
    }
}

static int take_result(const struct control_result *result, char *warning, struct error *error)
{
    if (result->exit_code != 0) {
        return error_set(error, result->exit_code, "%s",
                         result->text[0] != '\0' ? result->text
                                                 : "the keeper refuses and does not say why");
    }
    if (warning != NULL) {
        memcpy(warning, result->text, sizeof result->text);
    }
    return 0;
}

static int check_greeting(const union control_message *message, size_t length,
                          const struct settings *settings, struct error *error)
{
    const char *path = settings->config.control.socket;
    if (length >= sizeof message->header && message->header.magic == CONTROL_MAGIC &&
        message->header.version != CONTROL_VERSION) {
        return error_set(
            error, EX_UNAVAILABLE,
            "%s: the keeper there speaks version %u of the control protocol and this wicket "
            "version %d: restart the keeper, so that both are of one installation",
            path, (unsigned)message->header.version, CONTROL_VERSION);
    }
    if (control_message_check(message, length, error) < 0) {
        error->exit_code = EX_SOFTWARE;
        return error_prefix(error, "%s: bad greeting", path);
    }
    if (message->header.type == CONTROL_RESULT && message->result.exit_code != 0) {
        return take_result(&message->result, NULL, error);
    }
    if (message->header.type != CONTROL_HELLO) {
        return error_set(error, EX_SOFTWARE, "%s: the keeper there does not greet", path);
    }
    if (settings->given && !settings_same_file(settings->config.path, message->hello.config_path)) {
        return error_set(error, EX_CONFIG,
                         "the keeper at %s (pid %d) uses %s, not %s: use the same file, or another "
                         "control.socket",
                         path, (int)message->hello.pid, message->hello.config_path,
                         settings->config.path);
    }
    return 0;
}

static int be_greeted(struct connection *connection, const struct settings *settings,
                      uint64_t deadline_ms, enum connection_state *state, struct error *error)
{
    const char *path = settings->config.control.socket;
    union control_message message;
    int passed;
    const ssize_t length = receive(connection->fd, &message, &passed, deadline_ms);
    if (passed >= 0) {
        close(passed);
    }
    if (length == 0 || (length < 0 && errno == ECONNRESET)) {
        *state = CONNECTION_LEAVING;
        return 0;
    }
    if (length < 0 && errno == ETIMEDOUT) {
        return error_set(error, EX_TEMPFAIL, "%s: the keeper there does not answer", path);
    }
    if (length < 0) {
        return error_set_errno(error, EX_UNAVAILABLE, "%s: no greeting", path);
    }
    if (check_greeting(&message, (size_t)length, settings, error) < 0) {
        return -1;
    }
    connection->keeper_pid = (pid_t)message.hello.pid;
    return 0;
}

int connection_attempt(struct connection *out, const struct settings *settings,
                       uint64_t deadline_ms, enum connection_state *state, struct error *error)
{
    struct connection connection = CONNECTION_CLOSED;
    *state = CONNECTION_READY;
    connection.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connection.fd < 0) {
        return error_set_errno(error, EX_OSERR, "cannot make a socket");
    }
    int result = connect_to(connection.fd, settings, deadline_ms, state, error);
    if (result == 0 && *state == CONNECTION_READY) {
        result = be_greeted(&connection, settings, deadline_ms, state, error);
    }
    if (result < 0 || *state != CONNECTION_READY) {
        connection_close(&connection);
        return result;
    }
    *out = connection;
    return 0;
}

int connection_find(struct connection *out, const struct settings *settings, uint64_t deadline_ms,
                    bool *running, struct error *error)
{
    struct watch watch;
    watch_init(&watch, settings->config.control.socket, NULL);
    enum connection_state state;
    int result;
    for (;;) {
        result = connection_attempt(out, settings, deadline_ms, &state, error);
        if (result < 0 || state != CONNECTION_LEAVING) {
            break;
        }
        if (deadline_left(deadline_ms) == 0) {
            result =
                error_set(error, EX_TEMPFAIL, "%s: the keeper there hangs up; see " CLI_LOG_PLACES,
                          settings->config.control.socket);
            break;
        }
        result = watch_wait_hung_up(&watch, deadline_ms, error);
        if (result < 0) {
            break;
        }
    }
    watch_deinit(&watch);
    *running = result == 0 && state == CONNECTION_READY;
    return result;
}

static int lost(struct connection *connection, struct error *error)
{
    connection_close(connection);
    return error_set(error, EX_UNAVAILABLE, "the keeper went away; see " CLI_LOG_PLACES);
}

/* One good message within the deadline. */
static int next_message(struct connection *connection, union control_message *message, int *fd_out,
                        uint64_t deadline_ms, struct error *error)
{
    const ssize_t length = receive(connection->fd, message, fd_out, deadline_ms);
    if (length == 0 || (length < 0 && (errno == ECONNRESET || errno == EPIPE))) {
        return lost(connection, error);
    }
    if (length < 0 && errno == ETIMEDOUT) {
        /* A late answer would be taken for that of the next request. */
        connection_close(connection);
        return error_set(error, EX_TEMPFAIL, "the keeper (pid %d) does not answer",
                         (int)connection->keeper_pid);
    }
    int result = -1;
    if (length < 0) {
        error_set_errno(error, EX_SOFTWARE, "the keeper's answer cannot be read");
    } else {
        result = control_message_check(message, (size_t)length, error);
    }
    if (result < 0) {
        if (*fd_out >= 0) {
            close(*fd_out);
            *fd_out = -1;
        }
        connection_close(connection);
        if (length >= 0) {
            error->exit_code = EX_SOFTWARE;
            error_prefix(error, "the keeper's answer is wrong");
        }
    }
    return result;
}

int connection_ask(struct connection *connection, const union control_message *request,
                   const struct connection_answer *answer, uint64_t timeout_ms, char *warning,
                   struct error *error)
{
    if (connection->fd < 0) {
        return lost(connection, error);
    }
    const uint64_t deadline_ms = deadline_in(timeout_ms);
    if (control_send(connection->fd, request, -1) < 0) {
        return lost(connection, error);
    }
    for (;;) {
        union control_message message;
        int passed = -1;
        if (next_message(connection, &message, &passed, deadline_ms, error) < 0) {
            return -1;
        }
        const bool wanted = answer != NULL && message.header.type == (uint16_t)answer->type;
        if (wanted) {
            if (answer->take(answer->context, &message, passed, error) < 0) {
                connection_close(connection);
                return -1;
            }
            continue;
        }
        if (passed >= 0) {
            close(passed);
        }
        if (message.header.type != CONTROL_RESULT || passed >= 0) {
            connection_close(connection);
            return error_set(error, EX_SOFTWARE, "the keeper answers with a message of type %u",
                             (unsigned)message.header.type);
        }
        return take_result(&message.result, warning, error);
    }
}

int connection_request(struct connection *connection, const union control_message *request,
                       uint64_t timeout_ms, struct error *error)
{
    char warning[CONTROL_TEXT_MAX] = "";
    if (connection_ask(connection, request, NULL, timeout_ms, warning, error) < 0) {
        return -1;
    }
    if (warning[0] != '\0') {
        log_warnx("%s", warning);
    }
    return 0;
}

void connection_set_purpose(char (*purpose)[CONTROL_PURPOSE_MAX], const char *text)
{
    size_t at = 0;
    for (; at < sizeof *purpose - 1 && text[at] != '\0'; at++) {
        const char c = text[at];
        (*purpose)[at] = (char)(c >= ' ' && c <= '~' ? c : '?');
    }
    memset(*purpose + at, 0, sizeof *purpose - at);
}
