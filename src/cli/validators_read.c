// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/validators_read.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define WINDOW_MAX 72

struct observed_window {
    char name[WINDOW_MAX];
    uint32_t number;
    UT_hash_handle hh;
};

struct observed_visit {
    struct {
        uint32_t address, window;
    } key;
    UT_hash_handle hh;
};

void observations_deinit(struct observations *observations)
{
    struct observed *one, *next_one;
    struct observed_window *window, *next_window;
    struct observed_visit *visit, *next_visit;
    HASH_ITER(hh, observations->list, one, next_one)
    {
        HASH_DEL(observations->list, one);
        free(one);
    }
    HASH_ITER(hh, observations->windows, window, next_window)
    {
        HASH_DEL(observations->windows, window);
        free(window);
    }
    HASH_ITER(hh, observations->visits, visit, next_visit)
    {
        HASH_DEL(observations->visits, visit);
        free(visit);
    }
    *observations = (struct observations){.list = NULL};
}

/* What one line says of a validation. Times are compared as text, of one form and one zone. */
struct line {
    struct observed_key key;
    const char *time;
    const char *window;
};

static bool is_time(const char *text)
{
    static const char form[] = "0000-00-00T00:00:00.000Z";
    if (text == NULL || strlen(text) != sizeof form - 1) {
        return false;
    }
    for (size_t i = 0; form[i] != '\0'; i++) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == '0' ? !digit : text[i] != form[i]) {
            return false;
        }
    }
    return true;
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool take_validation(struct line *out, const json_t *object)
{
    const char *address = text_of(object, "address");
    const char *family = text_of(object, "family");
    out->time = text_of(object, "time");
    out->window = text_of(object, "window");
    out->key = (struct observed_key){.family = AF_UNSPEC};
    if (address == NULL || family == NULL || !is_time(out->time) || out->window == NULL ||
        strlen(out->window) >= WINDOW_MAX) {
        return false;
    }
    out->key.family = strcmp(family, "IPv4") == 0 ? AF_INET : AF_INET6;
    return inet_pton(out->key.family, address, out->key.address) == 1;
}

/* 0 when there is no room for it. */
static uint32_t window_number(struct observations *observations, const char *name)
{
    struct observed_window *window;
    HASH_FIND_STR(observations->windows, name, window);
    if (window == NULL && HASH_COUNT(observations->windows) < OBSERVED_WINDOWS_MAX) {
        window = calloc(1, sizeof *window);
        if (window != NULL) {
            memcpy(window->name, name, strlen(name));
            window->number = HASH_COUNT(observations->windows) + 1;
            HASH_ADD_STR(observations->windows, name, window);
        }
    }
    return window == NULL ? 0 : window->number;
}

static void note_visit(struct observations *observations, struct observed *one, uint32_t window)
{
    struct observed_visit *visit, wanted = {.key = {one->number, window}};
    HASH_FIND(hh, observations->visits, &wanted.key, sizeof wanted.key, visit);
    if (visit != NULL || HASH_COUNT(observations->visits) >= OBSERVED_VISITS_MAX) {
        return;
    }
    visit = calloc(1, sizeof *visit);
    if (visit == NULL) {
        return;
    }
    visit->key = wanted.key;
    HASH_ADD(hh, observations->visits, key, sizeof visit->key, visit);
    one->windows++;
}

static struct observed *find(struct observations *observations, const struct line *line,
                             uint32_t window)
{
    struct observed *one;
    HASH_FIND(hh, observations->list, &line->key, sizeof line->key, one);
    if (one != NULL || HASH_COUNT(observations->list) >= OBSERVED_ADDRESSES_MAX) {
        return one;
    }
    one = calloc(1, sizeof *one);
    if (one == NULL) {
        return NULL;
    }
    one->key = line->key;
    one->number = HASH_COUNT(observations->list);
    one->first_window = window;
    memcpy(one->first, line->time, strlen(line->time));
    memcpy(one->last, line->time, strlen(line->time));
    HASH_ADD(hh, observations->list, key, sizeof one->key, one);
    return one;
}

static void note(struct observations *observations, const struct line *line)
{
    const uint32_t window = window_number(observations, line->window);
    struct observed *one = find(observations, line, window);
    observations->latest = window;
    if (one == NULL) {
        observations->unlisted++;
        return;
    }
    one->validations++;
    if (strcmp(line->time, one->first) < 0) { /* the clock was set back, or several keepers */
        memcpy(one->first, line->time, strlen(line->time));
    }
    if (strcmp(line->time, one->last) > 0) {
        memcpy(one->last, line->time, strlen(line->time));
    }
    note_visit(observations, one, window);
}

static void take_line(struct observations *observations, const char *text, size_t length)
{
    json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    const json_t *version = json_object_get(object, "v");
    const char *event = text_of(object, "event");
    struct line line;
    if (!json_is_integer(version) || event == NULL) {
        observations->broken++;
    } else if (json_integer_value(version) != LEDGER_VERSION) {
        observations->newer++;
    } else if (strcmp(event, "validation") == 0) {
        if (take_validation(&line, object)) {
            note(observations, &line);
        } else {
            observations->broken++;
        }
    }
    json_decref(object);
}

/* A line of any length without taking memory for it: what does not fit is none of ours. False at
 * the end. */
static bool next_line(char *out, size_t capacity, size_t *length, bool *whole, FILE *stream)
{
    int c;
    *length = 0;
    *whole = true;
    while ((c = getc_unlocked(stream)) != EOF && c != '\n') {
        if (*length < capacity) {
            out[(*length)++] = (char)c;
        } else {
            *whole = false;
        }
    }
    return c != EOF || *length > 0;
}

int observations_read(struct observations *observations, FILE *stream, const char *path,
                      struct error *error)
{
    char line[LEDGER_LINE_MAX];
    size_t length;
    bool whole;
    while (next_line(line, sizeof line, &length, &whole, stream)) {
        if (length == 0) {
            continue; /* what ended a line that a crash had cut */
        }
        observations->lines++;
        if (whole) {
            take_line(observations, line, length);
        } else {
            observations->broken++;
        }
    }
    return ferror(stream) ? error_set_errno(error, EX_IOERR, "%s", path) : 0;
}

bool observed_is_new(const struct observations *observations, const struct observed *one)
{
    return observations->latest != 0 && one->first_window == observations->latest;
}

static int compare(const struct observed *a, const struct observed *b)
{
    if (a->key.family != b->key.family) {
        return a->key.family == AF_INET ? -1 : 1;
    }
    return memcmp(a->key.address, b->key.address, sizeof a->key.address);
}

void observations_sort(struct observations *observations)
{
    HASH_SORT(observations->list, compare);
}
