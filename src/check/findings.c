// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/findings.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/escape.h"

void findings_init(struct findings *report)
{
    *report = (struct findings){0};
}

void findings_deinit(struct findings *report)
{
    free(report->lines);
    findings_init(report);
}

static struct findings_line *find(struct findings *report, const char *subject, const char *text)
{
    for (size_t i = 0; i < report->count; i++)
        if (strcmp(report->lines[i].subject, subject) == 0 &&
            strcmp(report->lines[i].text, text) == 0)
            return &report->lines[i];
    return NULL;
}

/* Whether it is one of those that are named already, between commas. */
static bool has_scope(const struct findings_line *line, const char *scope)
{
    size_t length = strlen(scope);

    for (const char *at = line->scope; (at = strstr(at, scope)) != NULL; at++)
        if ((at == line->scope || at[-1] == ' ') && (at[length] == '\0' || at[length] == ','))
            return true;
    return false;
}

static void add_scope(struct findings_line *line, const char *scope)
{
    size_t used = strlen(line->scope);

    if (scope && !has_scope(line, scope))
        snprintf(line->scope + used, sizeof(line->scope) - used, "%s%s", used > 0 ? ", " : "",
                 scope);
}

void findings_add(struct findings *report, enum findings_level level, const char *subject,
                  const char *scope, const char *mend, const char *format, ...)
{
    char raw[FINDINGS_TEXT], text[FINDINGS_TEXT];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(raw, sizeof(raw), format, arguments);
    va_end(arguments);
    escape_copy(text, sizeof(text), raw, strlen(raw));

    struct findings_line *line = find(report, subject, text);
    if (!line) {
        struct findings_line *larger =
            reallocarray(report->lines, report->count + 1, sizeof(*larger));
        if (!larger) {
            report->out_of_memory = true;
            return;
        }
        report->lines = larger;
        line = &report->lines[report->count++];
        *line = (struct findings_line){.level = level, .subject = subject};
        memcpy(line->text, text, sizeof(text));
        if (mend)
            escape_copy(line->mend, sizeof(line->mend), mend, strlen(mend));
    }
    add_scope(line, scope);
}

size_t findings_count(const struct findings *report, enum findings_level level)
{
    size_t count = 0;

    for (size_t i = 0; i < report->count; i++)
        count += report->lines[i].level == level;
    return count;
}

void findings_write(FILE *out, const struct findings *report)
{
    static const char *const words[] = {
        [LEVEL_GOOD] = "ok     ", [LEVEL_NOTE] = "note   ", [LEVEL_FINDING] = "FINDING"};
    size_t findings = findings_count(report, LEVEL_FINDING);
    size_t notes = findings_count(report, LEVEL_NOTE);

    for (size_t i = 0; i < report->count; i++) {
        const struct findings_line *line = &report->lines[i];

        fprintf(out, "%s %s: %s", words[line->level], line->subject, line->text);
        if (line->scope[0] != '\0')
            fprintf(out, " (%s)", line->scope);
        if (line->mend[0] != '\0')
            fprintf(out, "; mend: %s", line->mend);
        fputc('\n', out);
    }
    if (findings == 0)
        fprintf(out, "nothing found that would stop a renewal");
    else
        fprintf(out, "%zu finding%s", findings, findings == 1 ? "" : "s");
    if (notes > 0)
        fprintf(out, ", %zu note%s", notes, notes == 1 ? "" : "s");
    fputc('\n', out);
}

static json_t *list(const struct findings *report, enum findings_level level)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < report->count; i++) {
        const struct findings_line *line = &report->lines[i];

        if (line->level == level &&
            json_array_append_new(array, json_pack("{s:s, s:s, s:s*, s:s*}", "subject",
                                                   line->subject, "text", line->text, "scope",
                                                   line->scope[0] ? line->scope : NULL, "mend",
                                                   line->mend[0] ? line->mend : NULL)) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

int findings_write_json(FILE *out, const struct findings *report, struct error *error)
{
    json_t *document =
        json_pack("{s:i, s:o, s:o, s:o}", "version", 1, "findings", list(report, LEVEL_FINDING),
                  "notes", list(report, LEVEL_NOTE), "good", list(report, LEVEL_GOOD));

    if (!document)
        return error_set(error, EX_OSERR, "out of memory for the report");
    json_dumpf(document, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(document);
    return 0;
}
