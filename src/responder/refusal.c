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

size_t refusal_write(char *out, unsigned status, bool content, const char *date)
{
    const char *phrase = refusal_phrase(status);
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
