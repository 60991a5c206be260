// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/deadlines.h"

#include <stdlib.h>

static void place(struct deadlines *deadlines, size_t position, struct deadline *deadline)
{
    deadlines->heap[position] = deadline;
    deadline->position = position;
}

static void rise(struct deadlines *deadlines, struct deadline *deadline)
{
    size_t position = deadline->position;

    while (position > 1 && deadlines->heap[position / 2]->at_ms > deadline->at_ms) {
        place(deadlines, position, deadlines->heap[position / 2]);
        position /= 2;
    }
    place(deadlines, position, deadline);
}

static void sink(struct deadlines *deadlines, struct deadline *deadline)
{
    size_t position = deadline->position;

    for (;;) {
        size_t child = position * 2;
        if (child > deadlines->count)
            break;
        if (child < deadlines->count &&
            deadlines->heap[child + 1]->at_ms < deadlines->heap[child]->at_ms)
            child++;
        if (deadlines->heap[child]->at_ms >= deadline->at_ms)
            break;
        place(deadlines, position, deadlines->heap[child]);
        position = child;
    }
    place(deadlines, position, deadline);
}

void deadlines_deinit(struct deadlines *deadlines)
{
    free(deadlines->heap);
    *deadlines = (struct deadlines){0};
}

bool deadlines_add(struct deadlines *deadlines, struct deadline *deadline)
{
    if (deadlines->count + 1 >= deadlines->capacity) {
        size_t capacity = deadlines->capacity == 0 ? 16 : deadlines->capacity * 2;
        struct deadline **heap = reallocarray(deadlines->heap, capacity, sizeof(*heap));
        if (heap == NULL)
            return false;
        deadlines->heap = heap;
        deadlines->capacity = capacity;
    }
    deadlines->count++;
    place(deadlines, deadlines->count, deadline);
    rise(deadlines, deadline);
    return true;
}

void deadlines_remove(struct deadlines *deadlines, struct deadline *deadline)
{
    if (deadline->position == 0)
        return;

    struct deadline *last = deadlines->heap[deadlines->count];
    deadlines->count--;
    if (last != deadline) {
        place(deadlines, deadline->position, last);
        rise(deadlines, last);
        sink(deadlines, last);
    }
    deadline->position = 0;
}

void deadlines_change(struct deadlines *deadlines, struct deadline *deadline, uint64_t at_ms)
{
    if (deadline->position == 0)
        return;
    deadline->at_ms = at_ms;
    rise(deadlines, deadline);
    sink(deadlines, deadline);
}

struct deadline *deadlines_first(const struct deadlines *deadlines)
{
    return deadlines->count == 0 ? NULL : deadlines->heap[1];
}
