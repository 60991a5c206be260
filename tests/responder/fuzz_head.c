// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever is accepted is made of exactly the parts that were found, put together again; and the
 * verdict does not depend on how the bytes were cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../base/require.h"
#include "responder/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Exactly as long as it says, so that the sanitizer sees a read behind its end. */
static enum head_verdict parse_copy(const char *bytes, size_t length, struct head *head)
{
    char *copy = malloc(length > 0 ? length : 1);
    require(copy != NULL);
    memcpy(copy, bytes, length);
    enum head_verdict verdict = head_parse(head, copy, length);
    free(copy);
    return verdict;
}

/* One line: a name without a space in it, a colon, a value, and the line's end at `next`. */
static void check_field(const char *at, const char *next)
{
    const char *colon = memchr(at, ':', (size_t)(next - at));
    require(colon && colon > at);
    for (; at < colon; at++)
        require(*at > ' ' && *at < 0x7f);
    require(!memchr(colon, '\r', (size_t)(next - colon)));
    require(!memchr(colon, '\n', (size_t)(next - colon)));
}

static void check_complete(const char *bytes, size_t size, const struct head *head)
{
    const char *start = bytes + head->skip;
    size_t line = head->method_length + 1 + head->target_length + sizeof(" HTTP/1.x\r\n") - 1;

    require(head->skip == 0 || (head->skip == 2 && memcmp(bytes, "\r\n", 2) == 0));
    require(head->length <= HEAD_MAX && head->skip + head->length <= size);
    require(memcmp(start + head->length - 4, "\r\n\r\n", 4) == 0);
    require(line < head->length);
    require(head->method == start && head->target == start + head->method_length + 1);
    require(memcmp(start + line - 11, " HTTP/1.", 8) == 0);
    require(start[line - 3] == (char)('0' + head->minor));
    require(head->target_length >= 1 && head->target_length <= TARGET_MAX);

    /* What the parts of the target cover is the end of it. */
    require(head->parts.path + head->parts.path_length == head->target + head->target_length);
    require(head->parts.absolute || head->parts.path == head->target);
    require(head->minor == 0 || head->host);

    /* One line a field, each ending in CRLF, nothing in between. */
    size_t fields = 0;
    const char *end = start + head->length - 2;
    for (const char *at = start + line; at < end; fields++) {
        const char *next = memmem(at, (size_t)(end - at), "\r\n", 2);
        require(next != NULL);
        check_field(at, next);
        at = next + 2;
    }
    require(fields == head->fields);
    require(!memchr(start, '\0', head->length));
    require(!head->body || memcmp(start, "GET ", 4) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct head head, cut_head;
    enum head_verdict verdict = head_parse(&head, bytes, size);

    switch (verdict) {
    case HEAD_COMPLETE:
        check_complete(bytes, size, &head);
        require(parse_copy(bytes, head.skip + head.length, &cut_head) == HEAD_COMPLETE);
        require(cut_head.length == head.length);
        require(parse_copy(bytes, head.skip + head.length - 1, &cut_head) == HEAD_INCOMPLETE);
        break;
    case HEAD_REFUSED:
        require(head.status >= 400 && head.reason && !head.target);
        break;
    case HEAD_INCOMPLETE:
        require(size < HEAD_LOOK);
        break;
    }
    /* Of a beginning only that can be known which holds for the whole. */
    for (size_t cut = size > 64 ? size - 64 : 0; cut < size; cut++) {
        enum head_verdict beginning = parse_copy(bytes, cut, &cut_head);
        require(beginning == HEAD_INCOMPLETE || beginning == verdict);
        require(beginning != HEAD_REFUSED || cut_head.status == head.status);
    }
    return 0;
}
