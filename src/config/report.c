// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"

/* Of a long path the end tells more than the beginning. */
#define NAME_SHOWN 200
#define KEY_SHOWN  80

void report_add(struct report *report, const struct position *position, const char *key,
                const char *format, ...)
{
    struct config_errors *errors = report->errors;
    if (errors->count == CONFIG_ERRORS_MAX) {
        errors->more = true;
        return;
    }

    size_t name_length = strlen(report->name);
    const char *name = report->name;
    const char *cut = "";
    if (name_length > NAME_SHOWN) {
        name += name_length - NAME_SHOWN;
        cut = "...";
    }
    char where[48] = "";
    if (position)
        snprintf(where, sizeof(where), ":%zu:%zu", position->line, position->column);
    char what[KEY_SHOWN] = "";
    if (key && key[0] == '\0')
        strcpy(what, "\"\"");
    else if (key)
        escape_copy(what, sizeof(what), key, strlen(key));

    char reason[768];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(reason, sizeof(reason), format, arguments) < 0)
        reason[0] = '\0';
    va_end(arguments);

    char line[1200];
    if (snprintf(line, sizeof(line), "%s%s%s: %s%s%s", cut, name, where, what, key ? ": " : "",
                 reason) < 0)
        line[0] = '\0';
    char *out = errors->lines[errors->count++];
    escape_copy(out, sizeof(errors->lines[0]), line, strlen(line));
}
