// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

/* How many letters have to be added, left out, replaced or swapped with their neighbour to make
 * one text of the other. Texts longer than DISTANCE_MAX are as far apart as can be. */
#define DISTANCE_MAX 48
size_t distance_between(const char *a, size_t a_length, const char *b, size_t b_length);

/* How far a name of this length may be off and still be taken for a slip of the pen. */
size_t distance_tolerance(size_t length);
