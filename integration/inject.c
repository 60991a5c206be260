// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults for the lab: preloaded into a program under test (LD_PRELOAD), which does not know of it.
 * A page that the test writes to (INJECT names its file) says which kinds of calls count, how many
 * of them go well, and what the next ones meet. Never installed.
 */
#undef _FORTIFY_SOURCE /* which has definitions of its own for what is defined here */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Of calls; lab/faults/seam.py has the same. */
enum kind {
    KIND_SEND = 1 << 0,       /* over netlink */
    KIND_RECEIVE = 1 << 1,    /* the same */
    KIND_DESCRIPTOR = 1 << 2, /* makes a descriptor */
    KIND_FILE = 1 << 3,       /* changes a file system */
    KIND_MEMORY = 1 << 4,
    KIND_OTHER = 1 << 5,
};

/* What a call meets. Those that are killed or held are announced in a line before. */
enum action {
    ACTION_NOTE, /* it is announced, and goes well */
    ACTION_FAIL,
    ACTION_LOSE, /* what was received is lost */
    ACTION_KILL,
    ACTION_HOLD,  /* it hangs, busily, as long as the page says so */
    ACTION_STRIP, /* CAP_NET_ADMIN is taken away from the process */
};

struct page {
    volatile uint32_t kinds; /* 0: nothing is counted */
    uint32_t skip;           /* so many go well */
    uint32_t strikes;        /* so many do not */
    uint32_t action;
    int32_t error; /* of ACTION_FAIL */
    volatile uint32_t hold;
    uint32_t calls; /* so many were counted */
    uint32_t struck;
    int64_t clock_s; /* CLOCK_REALTIME is off by so much */
};

static struct page *page;
static pid_t owner;

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("INJECT");
    int fd = name == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return;
    owner = getpid();
    void *mapped = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    page = mapped == MAP_FAILED ? NULL : mapped;
}

static void announce(const char *name)
{
    char line[96];
    int length = snprintf(line, sizeof(line), "inject: call %u, %s\n", page->calls, name);

    syscall(SYS_write, STDERR_FILENO, line, (size_t)length);
}

static void strip(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data) != 0)
        return;
    data[0].effective &= ~(UINT32_C(1) << CAP_NET_ADMIN);
    syscall(SYS_capset, &header, data);
}

/* Whether the call fails; errno says how. */
static bool strikes(enum kind kind, const char *name)
{
    if (page == NULL || (page->kinds & kind) == 0 || getpid() != owner)
        return false;
    uint32_t number = page->calls++;
    if (number < page->skip || number - page->skip >= page->strikes)
        return false;
    if (page->struck++ == 0)
        announce(name);
    switch ((enum action)page->action) {
    case ACTION_FAIL:
    case ACTION_LOSE:
        errno = page->error;
        return true;
    case ACTION_KILL:
        syscall(SYS_kill, owner, SIGKILL);
        break;
    case ACTION_HOLD:
        while (page->hold != 0)
            continue;
        break;
    case ACTION_STRIP:
        strip();
        break;
    case ACTION_NOTE:
        break;
    }
    return false;
}

static bool is_netlink(int fd)
{
    int family = 0;
    socklen_t length = sizeof(family);
    int saved = errno;
    bool netlink = syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0 &&
                   family == AF_NETLINK;

    errno = saved;
    return netlink;
}

/* --- calls that do nothing but what their system call does --- */

#define CALL(kind, type, name, parameters, ...)        \
    type name parameters                               \
    {                                                  \
        if (strikes(kind, #name))                      \
            return -1;                                 \
        return (type)syscall(SYS_##name, __VA_ARGS__); \
    }

CALL(KIND_DESCRIPTOR, int, accept4, (int fd, __SOCKADDR_ARG to, socklen_t *length, int flags), fd,
     to.__sockaddr__, length, flags)
CALL(KIND_DESCRIPTOR, int, epoll_create1, (int flags), flags)
CALL(KIND_DESCRIPTOR, int, inotify_init1, (int flags), flags)
CALL(KIND_DESCRIPTOR, int, pidfd_open, (pid_t pid, unsigned int flags), pid, flags)
CALL(KIND_DESCRIPTOR, int, pipe2, (int fds[2], int flags), fds, flags)
CALL(KIND_DESCRIPTOR, int, socket, (int family, int type, int protocol), family, type, protocol)
CALL(KIND_DESCRIPTOR, int, socketpair, (int family, int type, int protocol, int fds[2]), family,
     type, protocol, fds)
CALL(KIND_FILE, int, mkdir, (const char *path, mode_t mode), path, mode)
CALL(KIND_FILE, int, mkdirat, (int fd, const char *path, mode_t mode), fd, path, mode)
CALL(KIND_OTHER, int, unlink, (const char *path), path)
CALL(KIND_OTHER, int, bind, (int fd, __CONST_SOCKADDR_ARG to, socklen_t length), fd,
     to.__sockaddr__, length)
CALL(KIND_OTHER, int, connect, (int fd, __CONST_SOCKADDR_ARG to, socklen_t length), fd,
     to.__sockaddr__, length)
CALL(KIND_OTHER, int, listen, (int fd, int backlog), fd, backlog)
CALL(KIND_OTHER, int, close, (int fd), fd)
CALL(KIND_OTHER, int, epoll_ctl, (int fd, int operation, int other, struct epoll_event *event), fd,
     operation, other, event)
CALL(KIND_OTHER, int, epoll_wait, (int fd, struct epoll_event *events, int count, int timeout), fd,
     events, count, timeout)
CALL(KIND_OTHER, int, poll, (struct pollfd * fds, nfds_t count, int timeout), fds, count, timeout)
CALL(KIND_OTHER, ssize_t, read, (int fd, void *bytes, size_t length), fd, bytes, length)
CALL(KIND_OTHER, ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), fd, message,
     flags)
CALL(KIND_OTHER, ssize_t, splice,
     (int in, off64_t *in_at, int out, off64_t *out_at, size_t length, unsigned int flags), in,
     in_at, out, out_at, length, flags)
CALL(KIND_OTHER, int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options), type, id,
     info, options, NULL)

/* --- calls that need a closer look --- */

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, __CONST_SOCKADDR_ARG to,
               socklen_t to_length)
{
    if (strikes(is_netlink(fd) ? KIND_SEND : KIND_OTHER, "sendto"))
        return -1;
    return syscall(SYS_sendto, fd, bytes, length, flags, to.__sockaddr__, to_length);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    bool netlink = is_netlink(fd);
    bool strike = strikes(netlink ? KIND_RECEIVE : KIND_OTHER, "recvmsg");

    if (strike && page->action != ACTION_LOSE)
        return -1;
    ssize_t length = syscall(SYS_recvmsg, fd, message, flags);
    if (!strike || length < 0)
        return length;
    errno = page->error;
    return -1;
}

/* The declaration is the library's, for programs that are built with _FORTIFY_SOURCE. */
ssize_t __recv_chk(int fd, void *bytes, size_t length, size_t room, int flags);
ssize_t __recv_chk(int fd, void *bytes, size_t length, size_t room, int flags)
{
    (void)room;
    if (strikes(KIND_OTHER, "recv"))
        return -1;
    return syscall(SYS_recvfrom, fd, bytes, length, flags, NULL, NULL);
}

/* Some commands make a descriptor. What they take is a number or a pointer. */
int fcntl(int fd, int command, ...)
{
    va_list arguments;

    va_start(arguments, command);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    bool makes = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
    if (strikes(makes ? KIND_DESCRIPTOR : KIND_OTHER, "fcntl"))
        return -1;
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

static int open_at(int directory, const char *path, int flags, mode_t mode)
{
    bool creates = (flags & O_CREAT) != 0;

    if (strikes(creates ? KIND_FILE | KIND_DESCRIPTOR : KIND_DESCRIPTOR, "open"))
        return -1;
    return (int)syscall(SYS_openat, directory, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open_at(directory, path, flags, mode);
}

/* --- memory: what the library has for itself under another name --- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
    return strikes(KIND_MEMORY, "malloc") ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return strikes(KIND_MEMORY, "calloc") ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return strikes(KIND_MEMORY, "realloc") ? NULL : __libc_realloc(old, size);
}

/* --- the time of day --- */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, now);

    if (failed == 0 && page != NULL && clock == CLOCK_REALTIME)
        now->tv_sec += page->clock_s;
    return failed;
}

time_t time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return out == NULL ? now.tv_sec : (*out = now.tv_sec);
}
