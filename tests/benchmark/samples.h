// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Latencies in ns: all of them, so that a percentile is exact. */
struct samples {
    uint64_t *values;
    size_t count;
    size_t room;
};

/* False: no memory. */
bool samples_add(struct samples *samples, uint64_t value);

void samples_sort(struct samples *samples);

/* Of sorted ones: the least value that `part` of them (0 to 1) do not exceed; 0 without any. */
uint64_t samples_percentile(const struct samples *samples, double part);

void samples_deinit(struct samples *samples);
