// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/hang_up.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wicket/log.h"

/* Headers may be older than the kernel. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

bool hang_up_refuse_descriptors(int fd)
{
    const int off = 0;

    /* What a unit of systemd may have turned on would look like descriptors. */
    (void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
    (void)setsockopt(fd, SOL_SOCKET, SO_PASSSEC, &off, sizeof(off));
    return setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)) == 0;
}

/* Without room for control data the kernel only says that there was some. */
static ssize_t look(int fd, int flags, bool *descriptors)
{
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = sizeof(byte)};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t length;

    do {
        length = recvmsg(fd, &packet, flags | MSG_DONTWAIT);
    } while (length < 0 && errno == EINTR);
    *descriptors = length >= 0 && (packet.msg_flags & MSG_CTRUNC) != 0;
    return length;
}

bool hang_up_is_due(int fd)
{
    bool descriptors;

    look(fd, MSG_PEEK, &descriptors);
    return descriptors;
}

/* Holds the socket, and nothing else of the keeper's, until that has closed its own. */
static void hold(int fd, int until)
{
    const unsigned int low = (unsigned int)(fd < until ? fd : until);
    const unsigned int high = (unsigned int)(fd < until ? until : fd);
    char byte;

    if (low > 0)
        close_range(0, low - 1, 0);
    if (high > low + 1)
        close_range(low + 1, high - 1, 0);
    close_range(high + 1, UINT_MAX, 0);
    while (read(until, &byte, sizeof(byte)) < 0 && errno == EINTR)
        continue;
    _exit(0);
}

static void close_elsewhere(int fd)
{
    int until[2];

    if (pipe2(until, 0) != 0) {
        log_warn("a client's descriptors stay unclosed");
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        /* Once more: nobody has to wait for who waits. */
        close(until[1]);
        pid = fork();
        if (pid == 0)
            hold(fd, until[0]);
        _exit(pid < 0);
    }

    siginfo_t end = {0};
    if (pid > 0)
        while (waitid(P_PID, (id_t)pid, &end, WEXITED) != 0 && errno == EINTR)
            continue;
    if (pid < 0 || end.si_code != CLD_EXITED || end.si_status != 0)
        log_warn("a client's descriptors stay unclosed: cannot fork");
    else
        close(fd);
    close(until[0]);
    close(until[1]);
}

/* With SO_PASSCRED every packet has control data, an empty one too, and the end has none. */
static bool has_packet(int fd)
{
    const int on = 1, off = 0;
    bool packet;

    (void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    look(fd, MSG_PEEK, &packet);
    (void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
    return packet;
}

void hang_up(int fd)
{
    const int before = errno;
    bool descriptors = false;

    /* Nothing comes in behind this look. */
    shutdown(fd, SHUT_RD);
    while (!(descriptors = hang_up_is_due(fd)) && has_packet(fd))
        look(fd, 0, &descriptors);
    if (descriptors)
        close_elsewhere(fd);
    else
        close(fd);
    errno = before;
}
