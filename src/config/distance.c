// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/distance.h"

#include <stdint.h>

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t distance_between(const char *a, size_t a_length, const char *b, size_t b_length)
{
    if (a_length > DISTANCE_MAX || b_length > DISTANCE_MAX)
        return SIZE_MAX;

    size_t table[DISTANCE_MAX + 1][DISTANCE_MAX + 1];
    for (size_t i = 0; i <= a_length; i++)
        table[i][0] = i;
    for (size_t j = 0; j <= b_length; j++)
        table[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        for (size_t j = 1; j <= b_length; j++) {
            size_t replaced = table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            size_t best = min(replaced, min(table[i - 1][j], table[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = min(best, table[i - 2][j - 2] + 1);
            table[i][j] = best;
        }
    }
    return table[a_length][b_length];
}

size_t distance_tolerance(size_t length)
{
    return (length + 2) / 3;
}
