// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wicket/error.h"

/*
 * Landlock (landlock(7)): what a process takes away from itself and its children, for good. The
 * kernel's header is older than the kernel in places, and the C library does not know it at all.
 */

/* Of files; which ones a kernel knows depends on the version. */
#define LANDLOCK_EXECUTE     (UINT64_C(1) << 0)
#define LANDLOCK_WRITE_FILE  (UINT64_C(1) << 1)
#define LANDLOCK_READ_FILE   (UINT64_C(1) << 2)
#define LANDLOCK_READ_DIR    (UINT64_C(1) << 3)
#define LANDLOCK_REMOVE_DIR  (UINT64_C(1) << 4)
#define LANDLOCK_REMOVE_FILE (UINT64_C(1) << 5)
#define LANDLOCK_MAKE_DIR    (UINT64_C(1) << 7)
#define LANDLOCK_MAKE_FILE   (UINT64_C(1) << 8)
#define LANDLOCK_TRUNCATE    (UINT64_C(1) << 14)
#define LANDLOCK_FILES       ((UINT64_C(1) << 16) - 1) /* all, to version 5 and beyond */
/* Of TCP, since version 4. */
#define LANDLOCK_BIND    (UINT64_C(1) << 0)
#define LANDLOCK_CONNECT (UINT64_C(1) << 1)
/* To processes outside, since version 6. */
#define LANDLOCK_ABSTRACT_SOCKETS (UINT64_C(1) << 0)
#define LANDLOCK_SIGNALS          (UINT64_C(1) << 1)

/* What is taken away; what the kernel does not know is left out. */
struct landlock_fences {
    uint64_t files, tcp, scoped;
};

/* But for this, which is left below a directory. One that is not there, or out of
 * reach, needs no exception. */
struct landlock_exception {
    const char *path;
    uint64_t files;
};

/* 0 with errno: the kernel has no Landlock, or it is switched off or forbidden. -1 with errno. */
int landlock_version(void);

/* The process must have no_new_privs. Where there is no Landlock that is no failure,
 * and in the log. 70. */
int landlock_restrict(const struct landlock_fences *fences,
                      const struct landlock_exception *exceptions, size_t count,
                      struct error *error);
