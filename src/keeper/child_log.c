// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/child_log.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "wicket/log.h"

/* What one writer puts into a pipe at once, the kernel keeps together. */
enum { PIECE_BYTES = 4096, PIECES_A_ROUND = 16 };

void child_log_init(struct child_log *log, int epoll_fd)
{
    *log = (struct child_log){.epoll_fd = epoll_fd, .pipe = {.fd = -1}};
}

/* False: there is nothing more at present, or never will be. */
static bool copy_piece(const struct child_log *log)
{
    char piece[PIECE_BYTES];
    ssize_t length = read(log->pipe.fd, piece, sizeof(piece));

    if (length > 0)
        log_copy(piece, (size_t)length);
    return length > 0;
}

static void pipe_ready(void *owner, uint32_t events)
{
    struct child_log *log = owner;
    unsigned int pieces = 0;

    while (pieces < PIECES_A_ROUND && copy_piece(log))
        pieces++;
    /* Told of without end, once there is nothing more. */
    if (pieces == 0 && (events & EPOLLHUP) != 0)
        event_close(log->epoll_fd, &log->pipe);
}

int child_log_begin(struct child_log *log, int *out_fd, struct error *error)
{
    int fds[2];

    child_log_end(log);
    if (!log_is_file()) {
        *out_fd = log_fd();
        return 0;
    }
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
    while (copy_piece(log))
        continue;
    event_close(log->epoll_fd, &log->pipe);
}
