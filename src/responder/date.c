// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/date.h"

const char *date_of(struct date *date, time_t now)
{
    struct tm tm = {0};

    if (date->text[0] != '\0' && date->second == now)
        return date->text;
    /* Nothing sets a locale: the names are English. */
    (void)gmtime_r(&now, &tm);
    (void)strftime(date->text, sizeof(date->text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    date->second = now;
    return date->text;
}
