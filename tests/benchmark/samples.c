// SPDX-License-Identifier: GPL-2.0-or-later
#include "samples.h"

#include <math.h>
#include <stdlib.h>

bool samples_add(struct samples *samples, uint64_t value)
{
    if (samples->count == samples->room) {
        const size_t room = samples->room > 0 ? 2 * samples->room : 4096;
        uint64_t *const values = reallocarray(samples->values, room, sizeof *values);
        if (values == NULL) {
            return false;
        }
        samples->values = values;
        samples->room = room;
    }
    samples->values[samples->count++] = value;
    return true;
}

static int compare(const void *one, const void *other)
{
    const uint64_t a = *(const uint64_t *)one;
    const uint64_t b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

void samples_sort(struct samples *samples)
{
    if (samples->count > 0) {
        qsort(samples->values, samples->count, sizeof *samples->values, compare);
    }
}

uint64_t samples_percentile(const struct samples *samples, double part)
{
    if (samples->count == 0) {
        return 0;
    }
    const double rank = ceil(part * (double)samples->count);
    const size_t index = rank < 1 ? 0 : (size_t)rank - 1;
    return samples->values[index < samples->count ? index : samples->count - 1];
}

void samples_deinit(struct samples *samples)
{
    free(samples->values);
    *samples = (struct samples){0};
}
