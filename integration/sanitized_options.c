// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linked into programs that are built with sanitizers (-Db_sanitize), never into others: who is
 * ended by one cannot be taken for one who ended otherwise. The responder has nothing else by which
 * to tell the lab (its keeper's fences, which are its own from the start, let it open nothing to
 * write): its keeper writes the status to the log.
 */
#include <fcntl.h>
#include <unistd.h>

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
int __lsan_is_turned_off(void);

/* Whether standard error is a terminal is a question that fences forbid. */
const char *__asan_default_options(void)
{
    return "exitcode=99:color=never";
}

const char *__ubsan_default_options(void)
{
    return "exitcode=99:color=never:halt_on_error=1:print_stacktrace=1";
}

/* Leaks are looked for by a thread that stops the others, which it finds in /proc. In the empty
 * directory that a responder lives in there is none; its leaks are valgrind's to find. */
int __lsan_is_turned_off(void)
{
    int fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd < 0;
}
