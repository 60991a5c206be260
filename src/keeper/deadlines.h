// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A binary heap of deadlines, the earliest first. The deadlines live in their owners' structs. */
struct deadline {
    uint64_t at_ms;
    size_t position; /* in the heap, from 1; 0: in none */
};

struct deadlines {
    struct deadline **heap; /* heap[1..count] */
    size_t count, capacity;
};

void deadlines_deinit(struct deadlines *deadlines);
/* False when memory ran out; nothing has changed then. */
bool deadlines_add(struct deadlines *deadlines, struct deadline *deadline);
/* Both leave one alone that is in no heap. */
void deadlines_remove(struct deadlines *deadlines, struct deadline *deadline);
void deadlines_change(struct deadlines *deadlines, struct deadline *deadline, uint64_t at_ms);
struct deadline *deadlines_first(const struct deadlines *deadlines);
