// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sandbox/filter.h"
#include "sandbox/sanitizer.h"

/* What the lists of several programs have in common, to be written between other rules. */

/* Memory, and never to execute what is in it. */
#define FILTER_MEMORY                                                               \
    FILTER_CALL(brk),                                                               \
        FILTER_CALL_2(mmap, FILTER_FLAGS(2, 0, PROT_READ | PROT_WRITE),             \
                      FILTER_FLAGS(3, MAP_PRIVATE | MAP_ANONYMOUS, MAP_NORESERVE)), \
        FILTER_CALL(munmap), FILTER_CALL(mremap),                                   \
        FILTER_CALL_1(mprotect, FILTER_FLAGS(2, 0, PROT_READ | PROT_WRITE)), FILTER_CALL(futex)

/* The end; abort() sends its own process a signal. */
#define FILTER_END                                                                        \
    FILTER_CALL(exit_group), FILTER_CALL(exit), FILTER_CALL(rt_sigreturn),                \
        FILTER_CALL(rt_sigprocmask), FILTER_CALL_1(rt_sigaction, FILTER_INT(0, SIGABRT)), \
        FILTER_CALL(gettid),                                                              \
        FILTER_CALL_2(tgkill, FILTER_INT(0, getpid()), FILTER_INT(2, SIGABRT))

/* What sanitizers do at the end, of a build that has them. */
#if SANITIZER
#define FILTER_SANITIZER                                                                          \
    FILTER_CALL(clone), FILTER_CALL(fstat), FILTER_CALL(getcwd), FILTER_CALL(getdents),           \
        FILTER_CALL(getdents64), FILTER_CALL(getppid), FILTER_CALL(getrlimit),                    \
        FILTER_CALL(gettid), FILTER_CALL(lseek), FILTER_CALL(madvise),                            \
        FILTER_CALL_1(mmap, FILTER_FLAGS(2, 0, PROT_READ | PROT_WRITE)), FILTER_CALL(newfstatat), \
        FILTER_CALL(open), FILTER_CALL(openat), FILTER_CALL(personality), FILTER_CALL(prctl),     \
        FILTER_CALL(prlimit64), FILTER_CALL(ptrace), FILTER_CALL(read), FILTER_CALL(readlink),    \
        FILTER_CALL(readlinkat), FILTER_CALL(rt_sigaction), FILTER_CALL(sched_getaffinity),       \
        FILTER_CALL(sched_yield), FILTER_CALL(sigaltstack), FILTER_CALL(stat),                    \
        FILTER_CALL(tgkill), FILTER_CALL(uname), FILTER_CALL(wait4), FILTER_CALL(write)
#endif
