// SPDX-License-Identifier: GPL-2.0-or-later
#include "dice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void dice_init(struct dice *dice, int argc, char **argv)
{
    const char *text = argc > 1 ? argv[1] : getenv("WICKET_TEST_SEED");

    if (text != NULL) {
        dice->seed = strtoull(text, NULL, 10);
    } else if (getrandom(&dice->seed, sizeof(dice->seed), 0) != (ssize_t)sizeof(dice->seed)) {
        perror("getrandom");
        exit(EXIT_FAILURE);
    }
    dice->state = dice->seed;
    printf("seed %" PRIu64 ": the same again with WICKET_TEST_SEED=%" PRIu64 "\n", dice->seed,
           dice->seed);
    fflush(stdout);
}

uint64_t dice_roll(struct dice *dice, uint64_t sides)
{
    /* SplitMix64 (Steele, Lea, Flood 2014). The bias of the remainder does not matter here. */
    uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % sides;
}

bool dice_once_in(struct dice *dice, uint64_t times)
{
    return dice_roll(dice, times) == 0;
}
