// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/head.h"

#include <string.h>
#include <strings.h>

/*
 * Every step reads from the cursor and tells whether it got through (COMPLETE), would need more
 * bytes (INCOMPLETE) or met something it refuses. Bytes are judged as they are met, so that what
 * is no HTTP at all (a TLS greeting, say) is refused at its first bytes.
 */
struct cursor {
    const char *bytes;
    size_t at;
    size_t end;
    bool cut; /* more bytes there may be are beyond HEAD_MAX */
};

struct field {
    const char *name;
    size_t name_length;
    const char *value;
    size_t value_length;
};

/* What the fields so far say about the whole. */
struct framing {
    bool conditions; /* If-Match and the like, or an expectation */
    bool content_length;
    bool transfer_encoding;
    bool length_positive;
    bool keep_alive, close; /* in Connection */
    size_t cookies;
};

static enum head_verdict refuse(struct head *head, unsigned status, const char *reason)
{
    head->status = status;
    head->reason = reason;
    return HEAD_REFUSED;
}

static enum head_verdict need_more(const struct cursor *cursor, struct head *head)
{
    if (cursor->cut)
        return refuse(head, 431, "head too long");
    return HEAD_INCOMPLETE;
}

/* RFC 9110 section 5.6.2 */
static bool is_token_character(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* RFC 9110 section 5.5: field-vchar, SP and HTAB */
static bool is_value_character(unsigned char c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

/* The CR is there; the LF has to follow. */
static enum head_verdict take_line_end(struct cursor *cursor, struct head *head)
{
    if (cursor->at + 1 == cursor->end)
        return need_more(cursor, head);
    if (cursor->bytes[cursor->at + 1] != '\n')
        return refuse(head, 400, "bare CR");
    cursor->at += 2;
    return HEAD_COMPLETE;
}

static enum head_verdict take_method(struct cursor *cursor, struct head *head)
{
    size_t start = cursor->at;

    head->method = cursor->bytes + start;
    while (cursor->at < cursor->end && is_token_character(cursor->bytes[cursor->at])) {
        if (cursor->at - start == HEAD_METHOD_MAX)
            return refuse(head, 501, "method too long");
        cursor->at++;
    }
    if (cursor->at == cursor->end)
        return need_more(cursor, head);
    head->method_length = cursor->at - start;
    if (head->method_length == 0 || cursor->bytes[cursor->at] != ' ')
        return refuse(head, 400, "bad method");
    cursor->at++;
    return HEAD_COMPLETE;
}

static enum head_verdict take_target(struct cursor *cursor, struct head *head)
{
    size_t start = cursor->at;
    size_t arguments = 1;

    head->target = cursor->bytes + start;
    while (cursor->at < cursor->end &&
           target_is_character((unsigned char)cursor->bytes[cursor->at])) {
        if (cursor->at - start == TARGET_MAX)
            return refuse(head, 414, "target too long");
        if (cursor->bytes[cursor->at] == '&' && ++arguments > HEAD_ARGUMENTS_MAX)
            return refuse(head, 414, "too many arguments in the target");
        cursor->at++;
    }
    if (cursor->at == cursor->end)
        return need_more(cursor, head);
    head->target_length = cursor->at - start;
    if (cursor->bytes[cursor->at] != ' ' ||
        !target_split(&head->parts, head->target, head->target_length))
        return refuse(head, 400, "bad target");
    cursor->at++;
    return HEAD_COMPLETE;
}

/* A minor version we do not know speaks 1.1 to us (RFC 9110 section 2.5). */
static enum head_verdict take_version(struct cursor *cursor, struct head *head)
{
    static const char name[] = "HTTP/";
    char version[3];
    size_t have;

    for (size_t i = 0; i < sizeof(name) - 1; i++, cursor->at++) {
        if (cursor->at == cursor->end)
            return need_more(cursor, head);
        if (cursor->bytes[cursor->at] != name[i])
            return refuse(head, 400, "bad version");
    }
    have = cursor->end - cursor->at;
    for (size_t i = 0; i < sizeof(version) && i < have; i++) {
        version[i] = cursor->bytes[cursor->at + i];
        if (i == 1 ? version[i] != '.' : (version[i] < '0' || version[i] > '9'))
            return refuse(head, 400, "bad version");
    }
    if (have <= sizeof(version))
        return need_more(cursor, head);
    cursor->at += sizeof(version);
    if (cursor->bytes[cursor->at] != '\r')
        return refuse(head, 400, "bad version");
    if (version[0] != '1')
        return refuse(head, 505, "other major version");
    head->minor = (unsigned)(version[2] - '0');
    return take_line_end(cursor, head);
}

static enum head_verdict take_field(struct cursor *cursor, struct head *head, struct field *field)
{
    size_t start = cursor->at;

    while (cursor->at < cursor->end && is_token_character(cursor->bytes[cursor->at]))
        cursor->at++;
    if (cursor->at == cursor->end)
        return need_more(cursor, head);
    field->name = cursor->bytes + start;
    field->name_length = cursor->at - start;
    if (field->name_length == 0 || cursor->bytes[cursor->at] != ':')
        return refuse(head, 400, "bad field name");
    cursor->at++;

    start = cursor->at;
    while (cursor->at < cursor->end && is_value_character((unsigned char)cursor->bytes[cursor->at]))
        cursor->at++;
    if (cursor->at == cursor->end)
        return need_more(cursor, head);
    if (cursor->bytes[cursor->at] != '\r')
        return refuse(head, 400, "bad byte in a field");
    size_t stop = cursor->at;
    while (start < stop && (cursor->bytes[start] == ' ' || cursor->bytes[start] == '\t'))
        start++;
    while (stop > start && (cursor->bytes[stop - 1] == ' ' || cursor->bytes[stop - 1] == '\t'))
        stop--;
    field->value = cursor->bytes + start;
    field->value_length = stop - start;
    return take_line_end(cursor, head);
}

static bool field_is(const struct field *field, const char *name)
{
    return field->name_length == strlen(name) &&
           strncasecmp(field->name, name, field->name_length) == 0;
}

static enum head_verdict judge_host(struct head *head, const struct field *field)
{
    size_t name_length;

    if (head->host)
        return refuse(head, 400, "repeated Host");
    if (!target_host_is_valid(field->value, field->value_length, &name_length))
        return refuse(head, 400, "bad Host");
    head->host = field->value;
    head->host_length = field->value_length;
    return HEAD_COMPLETE;
}

static enum head_verdict judge_content_length(struct head *head, struct framing *framing,
                                              const struct field *field)
{
    if (framing->content_length)
        return refuse(head, 400, "repeated Content-Length");
    if (field->value_length == 0 || field->value_length > 18) /* within 63 bits */
        return refuse(head, 400, "bad Content-Length");
    for (size_t i = 0; i < field->value_length; i++) {
        if (field->value[i] < '0' || field->value[i] > '9')
            return refuse(head, 400, "bad Content-Length");
        if (field->value[i] != '0')
            framing->length_positive = true;
    }
    framing->content_length = true;
    return HEAD_COMPLETE;
}

static enum head_verdict judge_cookie(struct head *head, struct framing *framing,
                                      const struct field *field)
{
    framing->cookies++;
    for (size_t i = 0; i < field->value_length; i++)
        framing->cookies += field->value[i] == ';' || field->value[i] == ',';
    if (framing->cookies > HEAD_COOKIES_MAX)
        return refuse(head, 431, "too many cookies");
    return HEAD_COMPLETE;
}

/* Where chunked is not the last of the codings, nobody can tell where the body ends (RFC 9112
 * section 6.3); what stands before it we do not know (section 6.1). */
static enum head_verdict judge_transfer_encoding(struct head *head, struct framing *framing,
                                                 const struct field *field)
{
    static const char chunked[] = "chunked";
    size_t length = sizeof(chunked) - 1;

    if (framing->transfer_encoding)
        return refuse(head, 400, "repeated Transfer-Encoding");
    if (field->value_length < length ||
        strncasecmp(field->value + field->value_length - length, chunked, length) != 0)
        return refuse(head, 400, "Transfer-Encoding does not end in chunked");
    size_t before = field->value_length - length;
    while (before > 0 && (field->value[before - 1] == ' ' || field->value[before - 1] == '\t'))
        before--;
    if (before > 0 && field->value[before - 1] != ',')
        return refuse(head, 400, "Transfer-Encoding does not end in chunked");
    if (before > 0)
        return refuse(head, 501, "unknown Transfer-Encoding");
    framing->transfer_encoding = true;
    return HEAD_COMPLETE;
}

/* Whether one of a list (RFC 9110 section 5.6.1) is that, in whatever case. */
static bool list_has(const struct field *field, const char *what)
{
    const char *at = field->value, *end = field->value + field->value_length;
    size_t length = strlen(what);

    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *next = comma ? comma : end, *last = next;
        while (at < last && (*at == ' ' || *at == '\t'))
            at++;
        while (last > at && (last[-1] == ' ' || last[-1] == '\t'))
            last--;
        if ((size_t)(last - at) == length && strncasecmp(at, what, length) == 0)
            return true;
        at = comma ? comma + 1 : end;
    }
    return false;
}

static void note_connection(struct framing *framing, const struct field *field)
{
    framing->keep_alive |= list_has(field, "keep-alive");
    framing->close |= list_has(field, "close");
}

static bool is_condition(const struct field *field)
{
    return field_is(field, "expect") ||
           (field->name_length > 3 && strncasecmp(field->name, "if-", 3) == 0);
}

static void note_user_agent(struct head *head, const struct field *field)
{
    if (head->user_agent)
        return;
    head->user_agent = field->value;
    head->user_agent_length = field->value_length;
}

static enum head_verdict judge_field(struct head *head, struct framing *framing,
                                     const struct field *field)
{
    if (++head->fields > HEAD_FIELDS_MAX)
        return refuse(head, 431, "too many fields");
    if (field_is(field, "host"))
        return judge_host(head, field);
    if (field_is(field, "cookie"))
        return judge_cookie(head, framing, field);
    if (field_is(field, "content-length"))
        return judge_content_length(head, framing, field);
    if (field_is(field, "transfer-encoding"))
        return judge_transfer_encoding(head, framing, field);
    if (field_is(field, "user-agent"))
        note_user_agent(head, field);
    if (field_is(field, "connection"))
        note_connection(framing, field);
    framing->conditions |= is_condition(field);
    return HEAD_COMPLETE;
}

static bool method_is(const struct head *head, const char *method)
{
    return head->method_length == strlen(method) &&
           memcmp(head->method, method, head->method_length) == 0;
}

static enum head_verdict judge_whole(struct head *head, const struct framing *framing)
{
    if (head->minor > 0 && !head->host)
        return refuse(head, 400, "no Host");
    if (framing->content_length && framing->transfer_encoding)
        return refuse(head, 400, "both Content-Length and Transfer-Encoding");
    if (framing->transfer_encoding && head->minor == 0)
        return refuse(head, 400, "Transfer-Encoding in HTTP/1.0");
    head->body = framing->transfer_encoding || framing->length_positive;
    if (head->body && (method_is(head, "GET") || method_is(head, "HEAD")))
        return refuse(head, 400, "GET or HEAD with a body");
    head->plain = method_is(head, "GET") && head->minor > 0 && !framing->conditions &&
                  !framing->content_length && !framing->transfer_encoding;
    head->keep = framing->keep_alive && !framing->close;
    return HEAD_COMPLETE;
}

static enum head_verdict take_fields(struct cursor *cursor, struct head *head)
{
    struct framing framing = {0};

    for (;;) {
        struct field field = {0};
        enum head_verdict verdict;

        if (cursor->at == cursor->end)
            return need_more(cursor, head);
        if (cursor->bytes[cursor->at] == '\r') {
            verdict = take_line_end(cursor, head);
            return verdict == HEAD_COMPLETE ? judge_whole(head, &framing) : verdict;
        }
        verdict = take_field(cursor, head, &field);
        if (verdict == HEAD_COMPLETE)
            verdict = judge_field(head, &framing, &field);
        if (verdict != HEAD_COMPLETE)
            return verdict;
    }
}

static enum head_verdict take_head(struct cursor *cursor, struct head *head)
{
    static enum head_verdict (*const steps[])(struct cursor *, struct head *) = {
        take_method, take_target, take_version, take_fields};

    if (cursor->end > 0 && cursor->bytes[0] == '\r') {
        enum head_verdict verdict = take_line_end(cursor, head);
        if (verdict != HEAD_COMPLETE)
            return verdict;
        head->skip = cursor->at;
    }
    if (cursor->end - head->skip >= HEAD_MAX) {
        cursor->end = head->skip + HEAD_MAX;
        cursor->cut = true;
    }
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        enum head_verdict verdict = steps[i](cursor, head);
        if (verdict != HEAD_COMPLETE)
            return verdict;
    }
    head->length = cursor->at - head->skip;
    return HEAD_COMPLETE;
}

enum head_verdict head_parse(struct head *out, const char *bytes, size_t length)
{
    struct cursor cursor = {.bytes = bytes, .end = length};
    struct head head = {0};
    enum head_verdict verdict = take_head(&cursor, &head);

    *out = (struct head){0};
    if (verdict == HEAD_COMPLETE) {
        *out = head;
        return verdict;
    }
    out->asks_head = method_is(&head, "HEAD");
    if (verdict == HEAD_REFUSED) {
        out->status = head.status;
        out->reason = head.reason;
    }
    return verdict;
}
