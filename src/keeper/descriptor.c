// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/descriptor.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/message.h"

enum { HURRY_US = 10000 };

static void wake(int number)
{
    (void)number;
}

/* Once. A program that is started later has none of it. */
static void prepare(void)
{
    static bool prepared;
    const struct sigaction interrupt = {.sa_handler = wake}; /* without SA_RESTART */
    sigset_t alarm;

    if (prepared)
        return;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    if (sigaction(SIGALRM, &interrupt, NULL) != 0 || sigprocmask(SIG_UNBLOCK, &alarm, NULL) != 0)
        abort(); /* neither has a reason to fail */
    prepared = true;
}

/* Again and again, in case the first one comes before the wait. */
static void set_timer(suseconds_t microseconds)
{
    const struct itimerval every = {.it_interval.tv_usec = microseconds,
                                    .it_value.tv_usec = microseconds};

    (void)setitimer(ITIMER_REAL, &every, NULL);
}

void descriptor_hurry(void)
{
    prepare();
    set_timer(HURRY_US);
}

void descriptor_hurry_end(void)
{
    set_timer(0);
}

void descriptor_close(int fd)
{
    descriptor_hurry();
    close(fd);
    descriptor_hurry_end();
}

void descriptor_discard(int fd)
{
    descriptor_hurry();
    message_discard(fd);
    descriptor_hurry_end();
}
