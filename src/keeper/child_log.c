// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/child_log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "sandbox/sanitizer.h"

/* PIECES_AT_END is more than a pipe can be made to hold (fs.pipe-max-size). */
enum { PIECE_BYTES = 4096, PIECES_A_ROUND = 16, PIECES_AT_END = 1024 };

void child_log_init(struct child_log *log, int epoll_fd)
{
    *log = (struct child_log){
        .epoll_fd = epoll_fd,
        .pipe = {.fd = -1},
        .limit = {.about = "what the responder said",
                  .most = SANITIZER ? CHILD_LOG_SANITIZER_LINES : CHILD_LOG_LINES},
    };
}

static void tell(struct child_log *log)
{
    if (log_limit_take(&log->limit, event_now_ms()))
        log_relay("wicket-responder", log->line, log->length);
    log->length = 0;
}

/* Of a line that is too long comes as much as the log takes, and its end is not waited for. */
static void add(struct child_log *log, const char *bytes, size_t length)
{
    size_t room = sizeof(log->line) - log->length;
    size_t taken = length < room ? length : room;

    if (log->is_cut)
        return;
    memcpy(log->line + log->length, bytes, taken);
    log->length += taken;
    if (taken < room)
        return;
    tell(log);
    log->is_cut = true;
}

static void end_line(struct child_log *log)
{
    if (!log->is_cut)
        tell(log);
    log->is_cut = false;
}

static void take(struct child_log *log, const char *bytes, size_t length)
{
    while (length > 0) {
        const char *newline = memchr(bytes, '\n', length);
        size_t part = newline == NULL ? length : (size_t)(newline - bytes);

        add(log, bytes, part);
        if (newline == NULL)
            return;
        end_line(log);
        bytes += part + 1;
        length -= part + 1;
    }
}

/* False: there is nothing more at present, or never will be. */
static bool take_piece(struct child_log *log)
{
    char piece[PIECE_BYTES];
    ssize_t length = read(log->pipe.fd, piece, sizeof(piece));

    if (length > 0)
        take(log, piece, (size_t)length);
    return length > 0;
}

static void pipe_ready(void *owner, uint32_t events)
{
    struct child_log *log = owner;
    unsigned int pieces = 0;

    while (pieces < PIECES_A_ROUND && take_piece(log))
        pieces++;
    /* Told of without end, once there is nothing more. */
    if (pieces == 0 && (events & EPOLLHUP) != 0)
        child_log_end(log);
}

int child_log_begin(struct child_log *log, int *out_fd, struct error *error)
{
    int fds[2];

    child_log_end(log);
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return error_set_errno(error, EX_OSERR, "cannot make a pipe for the responder's log");
    log->pipe = (struct event_source){fds[0], pipe_ready, log};
    if (!event_add(log->epoll_fd, &log->pipe, EPOLLIN)) {
        error_set_errno(error, EX_OSERR, "cannot watch the responder's log");
        event_close(log->epoll_fd, &log->pipe);
        close(fds[1]);
        return -1;
    }
    *out_fd = fds[1];
    return 0;
}

void child_log_end(struct child_log *log)
{
    if (log->pipe.fd < 0)
        return;
    for (unsigned int i = 0; i < PIECES_AT_END && take_piece(log); i++)
        continue;
    event_close(log->epoll_fd, &log->pipe);
    /* A line without an end. */
    if (log->length > 0)
        tell(log);
    log->is_cut = false;
}

void child_log_tick(struct child_log *log, uint64_t now_ms)
{
    log_limit_tick(&log->limit, now_ms);
}

uint64_t child_log_next_ms(const struct child_log *log)
{
    return log_limit_next_ms(&log->limit);
}
