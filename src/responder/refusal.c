// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/refusal.h"

#include <stdio.h>
#include <string.h>

static const char *refusal_phrase(unsigned status)
{
    switch (status) {
    case 414:
        return "URI Too Long";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Bad Request";
    }
}

size_t refusal_write(char *out, unsigned status, bool content, time_t now)
{
    const char *phrase = refusal_phrase(status);
    struct tm tm = {0};
    char date[64];

    /* Nothing sets a locale: the names are English (RFC 9110 section 5.6.7). */
    (void)gmtime_r(&now, &tm);
    (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    int length = snprintf(out, REFUSAL_MAX,
                          "HTTP/1.1 %u %s\r\n"
                          "Date: %s\r\n"
                          "Connection: close\r\n"
                          "Content-Type: text/plain\r\n"
                          "Cache-Control: no-store\r\n"
                          "Content-Length: %zu\r\n"
                          "\r\n"
                          "%s%s",
                          status, phrase, date, strlen(phrase) + 1, content ? phrase : "",
                          content ? "\n" : "");
    return (size_t)length;
}
