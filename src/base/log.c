// SPDX-License-Identifier: GPL-2.0-or-later
#include "wicket/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/escape.h"

/* The only mutable state at file scope of the whole suite: set once, by main(), before anything
 * logs. What logs before that goes to stderr. */
static struct {
    int fd;
    int socket_type; /* SOCK_DGRAM, another type, or 0 when it is no socket */
    bool journal;    /* the stream that journald reads */
    bool relayed;    /* by a parent */
    int verbose;
    size_t bound, written; /* log_bound; 0: none */
    size_t lost;           /* lines that it has not taken, and that it has not been told of */
    char ident[32];
} state = {.fd = STDERR_FILENO, .ident = "wicket"};

/* systemd says which stream it connected to the journal; somebody may have redirected it since. */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat status;
    char end;

    return stream != NULL && sscanf(stream, "%ju:%ju%c", &device, &inode, &end) == 2 &&
           fstat(fd, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

void log_init(int fd, const char *ident, int verbose)
{
    int type = 0;
    socklen_t length = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0)
        type = 0;
    state.fd = fd;
    state.socket_type = type;
    state.journal = is_journal(fd);
    state.relayed = false;
    state.verbose = verbose;
    state.lost = 0;
    escape_copy(state.ident, sizeof(state.ident), ident, strlen(ident));
}

void log_init_relayed(int fd, const char *ident)
{
    log_init(fd, ident, 0);
    state.relayed = true;
}

void log_bound(size_t bytes)
{
    state.bound = bytes;
    state.written = 0;
}

/* The file is opened with O_APPEND by everybody who writes to it, so nobody writes beyond its end.
 */
static void begin_anew(size_t length)
{
    state.written += length;
    if (state.bound == 0 || state.written <= state.bound)
        return;
    state.written = length;
    if (ftruncate(state.fd, 0) != 0)
        state.bound = 0;
}

int log_fd(void)
{
    return state.fd;
}

/* False: it does not take the line. */
static bool log_send(const char *line, size_t length)
{
    if (state.socket_type != 0)
        return send(state.fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
    begin_anew(length);
    /* A pipe that is ready takes PIPE_BUF bytes at once, more than any line: a reader that has
     * stopped reading costs lines, and never holds the program up. */
    struct pollfd ready = {.fd = state.fd, .events = POLLOUT};
    return poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0 &&
           write(state.fd, line, length) >= 0;
}

/* `ident` NULL: this program itself. */
static bool log_put(const char *ident, int priority, const char *text, size_t text_length)
{
    bool datagram = state.socket_type == SOCK_DGRAM;
    char line[LOG_LINE_MAX + 1];

    if (state.relayed)
        snprintf(line, sizeof(line), "<%d>", priority);
    else if (datagram && ident == NULL)
        snprintf(line, sizeof(line), "<%d>%s[%ld]: ", LOG_DAEMON | priority, state.ident,
                 (long)getpid());
    else if (datagram || state.journal)
        snprintf(line, sizeof(line), "<%d>%s: ", datagram ? LOG_DAEMON | priority : priority,
                 ident == NULL ? state.ident : ident);
    else
        snprintf(line, sizeof(line), "%s: ", ident == NULL ? state.ident : ident);
    size_t length = strlen(line);
    /* Room is kept for the newline, which replaces the NUL. */
    length += escape_copy(line + length, LOG_LINE_MAX - length, text, text_length);
    if (!datagram)
        line[length++] = '\n';
    return log_send(line, length);
}

/* Before the first line that is taken again. */
static void log_tell_lost(void)
{
    char text[96];

    snprintf(text, sizeof(text), "lines lost here, since the log did not take them in time: %zu",
             state.lost);
    if (log_put(NULL, LOG_WARNING, text, strlen(text)))
        state.lost = 0;
}

static void log_put_or_count(const char *ident, int priority, const char *text, size_t length)
{
    if (state.lost > 0)
        log_tell_lost();
    if (!log_put(ident, priority, text, length))
        state.lost++;
}

void log_relay(const char *ident, const char *line, size_t length)
{
    int priority = LOG_WARNING;

    /* What a library says as it aborts has none. Nothing from there is an emergency, which syslog
     * would write to every terminal. */
    if (length >= 3 && line[0] == '<' && line[2] == '>' && line[1] >= '0' + LOG_ERR &&
        line[1] <= '0' + LOG_DEBUG) {
        priority = line[1] - '0';
        line += 3;
        length -= 3;
    }
    log_put_or_count(ident, priority, line, length);
}

/* `number` is an errno to append, or 0. */
__attribute__((format(printf, 3, 0))) static void log_line(int priority, int number,
                                                           const char *format, va_list arguments)
{
    int saved_errno = errno;
    char text[LOG_LINE_MAX];
    if (vsnprintf(text, sizeof(text), format, arguments) < 0)
        snprintf(text, sizeof(text), "(a log line that cannot be formatted)");
    size_t used = strlen(text);
    if (number != 0)
        snprintf(text + used, sizeof(text) - used, ": %s", strerror(number));

    log_put_or_count(NULL, priority, text, strlen(text));
    errno = saved_errno;
}

void log_error(const char *format, ...)
{
    int number = errno;
    va_list arguments;
    va_start(arguments, format);
    log_line(LOG_ERR, number, format, arguments);
    va_end(arguments);
}

void log_errorx(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_line(LOG_ERR, 0, format, arguments);
    va_end(arguments);
}

void log_warn(const char *format, ...)
{
    int number = errno;
    va_list arguments;
    va_start(arguments, format);
    log_line(LOG_WARNING, number, format, arguments);
    va_end(arguments);
}

void log_warnx(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_line(LOG_WARNING, 0, format, arguments);
    va_end(arguments);
}

void log_info(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_line(LOG_INFO, 0, format, arguments);
    va_end(arguments);
}

void log_debug(const char *format, ...)
{
    if (!state.verbose)
        return;
    va_list arguments;
    va_start(arguments, format);
    log_line(LOG_DEBUG, 0, format, arguments);
    va_end(arguments);
}
