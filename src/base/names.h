// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A hash table of things by name, for when there are very many of them: it takes one pointer in
 * each, and one beside it. It grows by one bucket at a time (linear hashing), so that nobody waits
 * for all of them to be moved. Whoever chooses names cannot know which of them share a bucket.
 *
 * The names are hashed with a key, unless the host has only just come up and has no chance to give.
 *
 * The things are their owner's: structs that begin with a struct named, and all have their name,
 * which ends in NUL, at the same place.
 */
struct named {
    struct named *next;
};

struct names {
    struct named **buckets;
    size_t bucket_count, capacity;
    size_t half; /* the largest power of two that is no more than bucket_count; or 0 */
    size_t count;
    size_t name_at; /* offsetof the name */
    uint64_t seed[2];
};

void names_init(struct names *names, size_t name_at);
/* Of the things that are still there nothing is freed. */
void names_deinit(struct names *names);

/* NULL when it is not there. `name` needs no NUL. */
struct named *names_find(const struct names *names, const char *name, size_t length);
/* Of a name that is not there yet. False when memory ran out; only the first one can meet that. */
bool names_add(struct names *names, struct named *named);
/* One that is there. With the last one all memory is given back. */
void names_remove(struct names *names, struct named *named);

/* All of them, in no order: the first, and the one after `named`; NULL: there is none. While none
 * is added; for one that is removed, what comes after it has to be asked before. */
struct named *names_first(const struct names *names);
struct named *names_next(const struct names *names, const struct named *named);
