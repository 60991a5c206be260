// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdio.h>
#include <unistd.h>

/* For what only a person wants to read: nothing when standard output is no terminal. */
#define terminal_say(...)            \
    do {                             \
        if (isatty(STDOUT_FILENO)) { \
            printf(__VA_ARGS__);     \
        }                            \
    } while (0)
