// SPDX-License-Identifier: GPL-2.0-or-later
#include "wicket/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"

/* Longer than any text that is kept, so that the cut is made in one place: by escape_copy. */
#define DRAFT_MAX 1024

__attribute__((format(printf, 3, 0))) static void draft_format(char *draft, size_t capacity,
                                                               const char *format,
                                                               va_list arguments)
{
    if (vsnprintf(draft, capacity, format, arguments) < 0)
        snprintf(draft, capacity, "(an error message that cannot be formatted)");
}

static void draft_append(char *draft, size_t capacity, const char *separator, const char *text)
{
    size_t length = strlen(draft);
    snprintf(draft + length, capacity - length, "%s%s", separator, text);
}

/* The draft is not `error->text` itself, since the arguments may point into that. */
static void error_store(struct error *error, int exit_code, const char *draft)
{
    error->exit_code = exit_code;
    escape_copy(error->text, sizeof(error->text), draft, strlen(draft));
}

int error_set(struct error *error, int exit_code, const char *format, ...)
{
    if (!error)
        return -1;

    char draft[DRAFT_MAX];
    va_list arguments;
    va_start(arguments, format);
    draft_format(draft, sizeof(draft), format, arguments);
    va_end(arguments);
    error_store(error, exit_code, draft);
    return -1;
}

int error_set_errno(struct error *error, int exit_code, const char *format, ...)
{
    int number = errno;
    if (!error)
        return -1;

    char draft[DRAFT_MAX];
    va_list arguments;
    va_start(arguments, format);
    draft_format(draft, sizeof(draft), format, arguments);
    va_end(arguments);
    draft_append(draft, sizeof(draft), ": ", strerror(number));
    error_store(error, exit_code, draft);
    return -1;
}

int error_prefix(struct error *error, const char *format, ...)
{
    if (!error)
        return -1;

    char draft[DRAFT_MAX];
    va_list arguments;
    va_start(arguments, format);
    draft_format(draft, sizeof(draft), format, arguments);
    va_end(arguments);
    draft_append(draft, sizeof(draft), ": ", error->text);
    error_store(error, error->exit_code, draft);
    return -1;
}
