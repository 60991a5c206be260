// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/target.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "wicket/challenge.h"

#define PREFIX_LENGTH (sizeof(CHALLENGE_PATH_PREFIX) - 1)
#define PORT_MAX      65535

bool target_is_character(unsigned char character)
{
    return character > 0x20 && character < 0x7f && character != '#';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* unreserved and sub-delims of RFC 3986 */
static bool is_name_character(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=", c) != NULL);
}

static bool is_future_address(const char *text, size_t length)
{
    size_t at = 1;
    while (at < length && is_hex(text[at]))
        at++;
    if (at == 1 || at + 1 >= length || text[at] != '.')
        return false;
    for (at++; at < length; at++) {
        if (!is_name_character(text[at]) && text[at] != ':')
            return false;
    }
    return true;
}

/* What stands between the brackets. No zone: it has no meaning beyond the host that sends it. */
static bool is_literal(const char *text, size_t length)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (length == 0)
        return false;
    if (text[0] == 'v' || text[0] == 'V')
        return is_future_address(text, length);
    if (length >= sizeof(copy) || memchr(text, '\0', length))
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

static bool is_name(const char *text, size_t length)
{
    for (size_t at = 0; at < length; at++) {
        if (text[at] == '%') {
            if (length - at < 3 || !is_hex(text[at + 1]) || !is_hex(text[at + 2]))
                return false;
            at += 2;
        } else if (!is_name_character(text[at])) {
            return false;
        }
    }
    return true;
}

/* An empty port is good syntax. */
static bool is_port(const char *text, size_t length)
{
    unsigned value = 0;
    for (size_t at = 0; at < length; at++) {
        if (!is_digit(text[at]))
            return false;
        value = value * 10 + (unsigned)(text[at] - '0');
        if (value > PORT_MAX)
            return false;
    }
    return true;
}

bool target_host_is_valid(const char *text, size_t length, size_t *name_length)
{
    size_t name;

    if (length > TARGET_HOST_MAX)
        return false;
    if (length > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', length);
        if (!close || !is_literal(text + 1, (size_t)(close - text) - 1))
            return false;
        name = (size_t)(close - text) + 1;
    } else {
        const char *colon = length > 0 ? memchr(text, ':', length) : NULL;
        name = colon ? (size_t)(colon - text) : length;
        if (!is_name(text, name))
            return false;
    }
    if (name < length && (text[name] != ':' || !is_port(text + name + 1, length - name - 1)))
        return false;
    *name_length = name;
    return true;
}

static size_t scheme_length(const char *text, size_t length)
{
    if (length >= 7 && strncasecmp(text, "http://", 7) == 0)
        return 7;
    return 0;
}

bool target_split(struct target *out, const char *text, size_t length)
{
    struct target target = {0};
    size_t at = 0;

    if (length == 0 || length > TARGET_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!target_is_character((unsigned char)text[i]))
            return false;
    }
    if (text[0] != '/') {
        size_t name_length;
        at = scheme_length(text, length);
        if (at == 0)
            return false;
        target.absolute = true;
        target.host = text + at;
        while (at < length && text[at] != '/' && text[at] != '?')
            at++;
        target.host_length = (size_t)(text + at - target.host);
        /* The http scheme has no empty host (RFC 9110 section 4.2.1). */
        if (!target_host_is_valid(target.host, target.host_length, &name_length) ||
            name_length == 0)
            return false;
    }
    target.path = text + at;
    target.path_length = length - at;
    *out = target;
    return true;
}

const char *target_token(const struct target *target, size_t *length)
{
    if (target->path_length < PREFIX_LENGTH ||
        memcmp(target->path, CHALLENGE_PATH_PREFIX, PREFIX_LENGTH) != 0)
        return NULL;
    *length = target->path_length - PREFIX_LENGTH;
    return target->path + PREFIX_LENGTH;
}
