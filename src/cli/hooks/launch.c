// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/hooks/launch.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build.h"

#define HOOKS "/wicket/hooks"

/* Directories of the executables, seen from the one that `wicket` can be told from. */
static const char installed[] = "/" LAUNCH_LIBEXECDIR HOOKS;
static const char built[] = "/src/cli/hooks";

/* Whether `directory` ends so; *before is then the length of what comes before it. */
static bool ends_with(const char *directory, const char *end, int *before)
{
    const size_t whole = strlen(directory);
    const size_t length = strlen(end);
    if (whole < length || whole - length > INT_MAX ||
        strcmp(directory + whole - length, end) != 0) {
        return false;
    }
    *before = (int)(whole - length);
    return true;
}

static bool is_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* The `wicket` of the same tree: one that was moved keeps both directories below its prefix. */
static bool find_sibling(char *out, size_t capacity, const char *directory)
{
    int before;
    int length = -1;
    if (ends_with(directory, installed, &before)) {
        length = snprintf(out, capacity, "%.*s/%s/wicket", before, directory, LAUNCH_BINDIR);
    } else if (ends_with(directory, built, &before)) {
        length = snprintf(out, capacity, "%.*s/src/wicket", before, directory);
    }
    return length >= 0 && (size_t)length < capacity && is_program(out);
}

bool launch_path(char *out, size_t capacity, const char *directory)
{
    if (strcmp(directory, WICKET_LIBEXECDIR HOOKS) != 0 && find_sibling(out, capacity, directory)) {
        return true;
    }
    const int length = snprintf(out, capacity, "%s/wicket", WICKET_BINDIR);
    return length >= 0 && (size_t)length < capacity;
}
