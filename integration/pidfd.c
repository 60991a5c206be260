// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For programs under valgrind: Debian 12's (3.19) knows no pidfd_open(2), without which the keeper
 * starts no responder. Preloaded, this has a program beside it, not under valgrind, open the pidfd
 * and pass it on; what can be done with one valgrind leaves to the kernel, but for sending signals
 * by it. So a responder whose keeper leaves is not killed: it ends when its link does, and valgrind
 * says what it had not freed. Never installed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* valgrind is told to leave programs of this name alone. */
#define PYTHON "/usr/bin/python3"

static const char program[] = "import os, socket, sys\n"
                              "with socket.socket(fileno=0) as caller:\n"
                              "    pidfd = os.pidfd_open(int(sys.argv[1]))\n"
                              "    socket.send_fds(caller, [b'.'], [pidfd])\n";

static int receive(int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    int pidfd = -1;

    if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message) != NULL)
        memcpy(&pidfd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(pidfd));
    return pidfd;
}

int pidfd_open(pid_t pid, unsigned int flags)
{
    char number[16];
    int pair[2];

    if (flags != 0) {
        errno = EINVAL;
        return -1;
    }
    snprintf(number, sizeof(number), "%d", (int)pid);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    pid_t helper = fork();
    if (helper == 0) {
        dup2(pair[1], 0);
        execl(PYTHON, PYTHON, "-I", "-c", program, number, NULL);
        _exit(127);
    }
    close(pair[1]);
    int pidfd = helper < 0 ? -1 : receive(pair[0]);
    close(pair[0]);
    if (helper > 0)
        waitpid(helper, NULL, 0);
    if (pidfd < 0)
        errno = ESRCH;
    return pidfd;
}
