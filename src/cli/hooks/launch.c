// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/hooks/launch.h"

#include <stdio.h>
#include <string.h>

#include "build.h"

#define HOOKS "/wicket/hooks"

/* Both directories as they are below the prefix: a tree that was moved keeps them. */
static bool find_moved(char *out, size_t capacity, const char *directory, int *length)
{
    static const char below[] = "/" LAUNCH_LIBEXECDIR HOOKS;
    const size_t whole = strlen(directory);
    if (whole < sizeof below - 1 || strcmp(directory + whole - (sizeof below - 1), below) != 0) {
        return false;
    }
    *length = snprintf(out, capacity, "%.*s/%s/wicket", (int)(whole - (sizeof below - 1)),
                       directory, LAUNCH_BINDIR);
    return true;
}

bool launch_path(char *out, size_t capacity, const char *directory)
{
    int length;
    if (strcmp(directory, WICKET_LIBEXECDIR HOOKS) == 0) {
        length = snprintf(out, capacity, "%s/wicket", WICKET_BINDIR);
    } else if (!find_moved(out, capacity, directory, &length)) {
        length = snprintf(out, capacity, "%s/../../wicket", directory);
    }
    return length >= 0 && (size_t)length < capacity;
}
