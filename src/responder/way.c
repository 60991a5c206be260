// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/way.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "wicket/challenge.h"

#define PREFIX_LENGTH (sizeof(CHALLENGE_PATH_PREFIX) - 1)

/* Those of RFC 9110 section 9.3, and PATCH. A first word that is none of them is no request for a
 * challenge, nor is it HTTP at all perhaps: it need not be waited for. */
static const char *const methods[] = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
};

/* `whole`: there is nothing more of it to come. */
static bool is_method(const char *text, size_t length, bool whole)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strncmp(methods[i], text, length) == 0 && (!whole || methods[i][length] == '\0'))
            return true;
    }
    return false;
}

/* A target that is whole. */
static enum way way_of_target(const struct tokens *tokens, const struct target *target)
{
    char text[CHALLENGE_KEY_AUTHORIZATION_MAX + 1];
    size_t length = 0;
    const char *token = target_token(target, &length);

    if (!token || !challenge_is_token(token, length))
        return WAY_PASS;
    return tokens_answer(tokens, text, token, length) ? WAY_ANSWER : WAY_UNKNOWN;
}

/* A path as far as it goes. */
static enum way way_of_path(const char *path, size_t length)
{
    size_t compared = length < PREFIX_LENGTH ? length : PREFIX_LENGTH;

    if (memcmp(path, CHALLENGE_PATH_PREFIX, compared) != 0)
        return WAY_PASS;
    if (length <= PREFIX_LENGTH)
        return WAY_WAIT;
    return challenge_is_token(path + PREFIX_LENGTH, length - PREFIX_LENGTH) ? WAY_WAIT : WAY_PASS;
}

/* As far as it goes, in absolute-form. */
static enum way way_of_absolute(const char *text, size_t length)
{
    static const char scheme[] = "http://";
    size_t scheme_length = sizeof(scheme) - 1;
    size_t compared = length < scheme_length ? length : scheme_length;

    if (strncasecmp(text, scheme, compared) != 0)
        return WAY_PASS;
    for (size_t at = scheme_length; at < length; at++) {
        if (text[at] == '/')
            return way_of_path(text + at, length - at);
        if (text[at] == '?')
            return WAY_PASS;
    }
    return length <= scheme_length + TARGET_HOST_MAX ? WAY_WAIT : WAY_PASS;
}

/* Bytes that so far are the beginning of a good head. */
static enum way way_of_beginning(const struct tokens *tokens, const char *bytes, size_t length)
{
    const char *end = bytes + length;
    const char *method = bytes[0] == '\r' ? bytes + HEAD_SKIP_MAX : bytes;
    const char *space = method < end ? memchr(method, ' ', (size_t)(end - method)) : NULL;
    struct target target;

    if (method < end && !is_method(method, (size_t)((space ? space : end) - method), space != NULL))
        return WAY_PASS;
    if (!space || space + 1 == end)
        return WAY_WAIT;
    const char *text = space + 1;
    size_t rest = (size_t)(end - text);
    const char *stop = memchr(text, ' ', rest);
    if (stop) {
        enum way way = target_split(&target, text, (size_t)(stop - text))
                           ? way_of_target(tokens, &target)
                           : WAY_PASS;
        return way == WAY_ANSWER ? WAY_WAIT : way;
    }
    return text[0] == '/' ? way_of_path(text, rest) : way_of_absolute(text, rest);
}

enum way way_find(const struct tokens *tokens, const char *bytes, size_t length, struct head *head)
{
    switch (head_parse(head, bytes, length)) {
    case HEAD_COMPLETE:
        return is_method(head->method, head->method_length, true)
                   ? way_of_target(tokens, &head->parts)
                   : WAY_PASS;
    case HEAD_REFUSED:
        return WAY_PASS;
    case HEAD_INCOMPLETE:
        break;
    }
    return length > 0 ? way_of_beginning(tokens, bytes, length) : WAY_WAIT;
}
