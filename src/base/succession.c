// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/succession.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Alarms after the first one: that may come before the wait begins. */
enum { AGAIN_US = 10000 };

static void wake(int number)
{
    (void)number;
}

/* Also of a zombie: false. Whoever cannot be looked at is taken to live. */
static bool lives(pid_t pid)
{
    int process = pidfd_open(pid, 0);

    if (process < 0)
        return errno != ESRCH;
    struct pollfd ended = {.fd = process, .events = POLLIN};
    bool living = poll(&ended, 1, 0) == 0;
    close(process);
    return living;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool lock_until(int fd, uint64_t deadline_ms)
{
    while (flock(fd, LOCK_EX) != 0)
        if (errno != EINTR || now_ms() >= deadline_ms)
            return false;
    return true;
}

enum succession succession_wait(int fd, pid_t holder, uint64_t timeout_ms)
{
    const struct sigaction interrupt = {.sa_handler = wake}; /* without SA_RESTART */
    const struct itimerval never = {0};
    const struct itimerval deadline = {
        .it_value = {.tv_sec = (time_t)(timeout_ms / 1000),
                     .tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000)},
        .it_interval.tv_usec = AGAIN_US,
    };
    struct sigaction handler_before;
    sigset_t alarm, mask_before;

    if (lives(holder))
        return SUCCESSION_NONE;
    if (timeout_ms == 0)
        return SUCCESSION_LATE;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigaction(SIGALRM, &interrupt, &handler_before);
    sigprocmask(SIG_UNBLOCK, &alarm, &mask_before);
    setitimer(ITIMER_REAL, &deadline, NULL);
    bool held = lock_until(fd, now_ms() + timeout_ms);
    setitimer(ITIMER_REAL, &never, NULL);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
    sigaction(SIGALRM, &handler_before, NULL);
    return held ? SUCCESSION_HELD : SUCCESSION_LATE;
}
