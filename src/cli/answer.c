// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/answer.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define LENGTH_UNKNOWN SIZE_MAX

struct header_end {
    size_t headers; /* where the first header line begins */
    size_t body;    /* behind the empty line */
};

/* The end of the line that begins at `at`: of its text, and where the next begins. 0: no end. */
static size_t next_line(const char *bytes, size_t length, size_t at, size_t *text_end)
{
    const char *newline = memchr(bytes + at, '\n', length - at);
    if (newline == NULL) {
        return 0;
    }
    const size_t end = (size_t)(newline - bytes);
    *text_end = end > at && bytes[end - 1] == '\r' ? end - 1 : end;
    return end + 1;
}

static bool find_end(const char *bytes, size_t length, struct header_end *out)
{
    size_t text_end = 0;
    size_t at = next_line(bytes, length, 0, &text_end);
    if (at == 0) {
        return false;
    }
    out->headers = at;
    for (;;) {
        const size_t next = next_line(bytes, length, at, &text_end);
        if (next == 0) {
            return false;
        }
        if (text_end == at) {
            out->body = next;
            return true;
        }
        at = next;
    }
}

/* "HTTP/1.1 200" and then a space, or the end of the line: RFC 9112 section 4. */
static bool parse_status_line(struct answer *out, const char *line, size_t length)
{
    if (length < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[7] < '0' || line[7] > '9' ||
        line[8] != ' ' || (length > 12 && line[12] != ' ')) {
        return false;
    }
    int status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9') {
            return false;
        }
        status = status * 10 + (line[i] - '0');
    }
    out->status = status;
    return status >= 100 && status <= 599;
}

static bool parse_length(const char *value, size_t length, size_t *out)
{
    if (length == 0 || length > 9) {
        return false;
    }
    size_t number = 0;
    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9') {
            return false;
        }
        number = number * 10 + (size_t)(value[i] - '0');
    }
    if (*out != LENGTH_UNKNOWN && *out != number) {
        return false; /* two that disagree */
    }
    *out = number;
    return true;
}

static bool name_is(const char *line, size_t name_length, const char *name)
{
    return strlen(name) == name_length && strncasecmp(line, name, name_length) == 0;
}

static bool parse_header(struct answer *out, const char *line, size_t length, size_t *body_length,
                         bool *coded)
{
    const char *colon = memchr(line, ':', length);
    if (colon == NULL || colon == line || line[0] == ' ' || line[0] == '\t') {
        return false;
    }
    const size_t name_length = (size_t)(colon - line);
    const char *value = colon + 1;
    const char *end = line + length;
    while (value < end && (*value == ' ' || *value == '\t')) {
        value++;
    }
    while (end > value && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    const size_t value_length = (size_t)(end - value);
    if (name_is(line, name_length, "Content-Length")) {
        return parse_length(value, value_length, body_length);
    }
    if (name_is(line, name_length, "Transfer-Encoding")) {
        *coded = true;
    } else if (name_is(line, name_length, "Server") && out->server == NULL) {
        out->server = value;
        out->server_length = value_length;
    }
    return true;
}

static enum answer_state parse_body(struct answer *out, const char *bytes, size_t length,
                                    size_t wanted, bool ended)
{
    out->body = bytes;
    out->body_length = length;
    if (wanted != LENGTH_UNKNOWN && length >= wanted) {
        out->body_length = wanted;
        return ANSWER_COMPLETE;
    }
    if (!ended) {
        return ANSWER_INCOMPLETE;
    }
    return wanted == LENGTH_UNKNOWN ? ANSWER_COMPLETE : ANSWER_MALFORMED;
}

enum answer_state answer_parse(struct answer *out, const char *bytes, size_t length, bool ended)
{
    *out = (struct answer){0};
    static const char magic[] = "HTTP/1.";
    const size_t compared = length < sizeof magic - 1 ? length : sizeof magic - 1;
    if (compared > 0 && memcmp(bytes, magic, compared) != 0) {
        return ANSWER_MALFORMED;
    }
    struct header_end end;
    if (length == 0 || !find_end(bytes, length, &end)) {
        return ended || length >= ANSWER_MAX ? ANSWER_MALFORMED : ANSWER_INCOMPLETE;
    }
    size_t text_end = 0;
    size_t at = next_line(bytes, length, 0, &text_end);
    if (!parse_status_line(out, bytes, text_end)) {
        return ANSWER_MALFORMED;
    }
    size_t body_length = LENGTH_UNKNOWN;
    bool coded = false;
    while (at < end.body) {
        const size_t line = at;
        at = next_line(bytes, length, line, &text_end);
        if (text_end > line &&
            !parse_header(out, bytes + line, text_end - line, &body_length, &coded)) {
            return ANSWER_MALFORMED;
        }
    }
    if (out->status != 200) {
        return ANSWER_COMPLETE;
    }
    if (coded || (body_length != LENGTH_UNKNOWN && body_length > ANSWER_MAX - end.body)) {
        return ANSWER_MALFORMED;
    }
    /* Nobody can tell then whether this is all of it. */
    if (length >= ANSWER_MAX && body_length == LENGTH_UNKNOWN) {
        return ANSWER_MALFORMED;
    }
    return parse_body(out, bytes + end.body, length - end.body, body_length, ended);
}
