// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Random numbers that can be had again: the seed is printed, and taken from the command line or
 * from WICKET_TEST_SEED. */
struct dice {
    uint64_t seed;
    uint64_t state;
};

void dice_init(struct dice *dice, int argc, char **argv);
/* 0 to sides - 1. */
uint64_t dice_roll(struct dice *dice, uint64_t sides);
/* True once in `times`, on average. */
bool dice_once_in(struct dice *dice, uint64_t times);
