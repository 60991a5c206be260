// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <time.h>

/* The value of a Date field (RFC 9110 section 5.6.7), made once a second. All zero is a good start.
 */
struct date {
    time_t second;
    char text[64];
};

/* Valid until the next call. */
const char *date_of(struct date *date, time_t now);
