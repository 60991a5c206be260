// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/names.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { CAPACITY_FIRST = 16 };

static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Multiply and fold, keyed, eight bytes at a time. */
static uint64_t hash(const struct names *names, const char *name, size_t length)
{
    uint64_t sum = length;

    for (size_t at = 0; at < length; at += sizeof(uint64_t)) {
        size_t rest = length - at;
        uint64_t word = 0;

        memcpy(&word, name + at, rest < sizeof(word) ? rest : sizeof(word));
        sum = fold(word ^ names->seed[0], sum ^ names->seed[1]);
    }
    return sum ^ sum >> 32;
}

/* The first bucket_count - half buckets have been divided already, with one bit more of the hash.
 */
static struct named **bucket_of(const struct names *names, const char *name, size_t length)
{
    size_t at = hash(names, name, length) & (names->half * 2 - 1);

    return &names->buckets[at < names->bucket_count ? at : at - names->half];
}

static const char *name_of(const struct names *names, const struct named *named)
{
    return (const char *)named + names->name_at;
}

static struct named **bucket_with(const struct names *names, const struct named *named)
{
    const char *name = name_of(names, named);

    return bucket_of(names, name, strlen(name));
}

void names_init(struct names *names, size_t name_at)
{
    *names = (struct names){.name_at = name_at};
    /* A host that has just come up may have no chance to give, and is not waited for. */
    (void)!getrandom(names->seed, sizeof(names->seed), GRND_NONBLOCK);
}

void names_deinit(struct names *names)
{
    free(names->buckets);
    names->buckets = NULL;
    names->bucket_count = 0;
    names->capacity = 0;
    names->half = 0;
    names->count = 0;
}

struct named *names_find(const struct names *names, const char *name, size_t length)
{
    if (names->bucket_count == 0)
        return NULL;
    for (struct named *named = *bucket_of(names, name, length); named != NULL;
         named = named->next) {
        const char *its = name_of(names, named);
        if (strlen(its) == length && memcmp(its, name, length) == 0)
            return named;
    }
    return NULL;
}

static void put(struct names *names, struct named *named)
{
    struct named **bucket = bucket_with(names, named);

    named->next = *bucket;
    *bucket = named;
}

static bool reserve(struct names *names)
{
    if (names->bucket_count < names->capacity)
        return true;
    size_t capacity = names->capacity == 0 ? CAPACITY_FIRST : names->capacity * 2;
    struct named **buckets = reallocarray(names->buckets, capacity, sizeof(struct named *));
    if (buckets == NULL)
        return false;
    names->buckets = buckets;
    names->capacity = capacity;
    return true;
}

/* One bucket more, which takes its share of another. */
static void divide(struct names *names)
{
    struct named *one = NULL, *next;

    names->buckets[names->bucket_count] = NULL;
    if (names->half > 0) {
        struct named **divided = &names->buckets[names->bucket_count - names->half];
        one = *divided;
        *divided = NULL;
    }
    names->bucket_count++;
    if (names->bucket_count >= names->half * 2)
        names->half = names->bucket_count;
    for (; one != NULL; one = next) {
        next = one->next;
        put(names, one);
    }
}

bool names_add(struct names *names, struct named *named)
{
    /* Where there is no memory for more buckets, those there are take it. */
    if (names->count >= names->bucket_count) {
        if (reserve(names))
            divide(names);
        else if (names->bucket_count == 0)
            return false;
    }
    put(names, named);
    names->count++;
    return true;
}

void names_remove(struct names *names, struct named *named)
{
    struct named **at = bucket_with(names, named);

    while (*at != named)
        at = &(*at)->next;
    *at = named->next;
    if (--names->count == 0)
        names_deinit(names);
}

static struct named *first_from(const struct names *names, size_t bucket)
{
    for (; bucket < names->bucket_count; bucket++)
        if (names->buckets[bucket] != NULL)
            return names->buckets[bucket];
    return NULL;
}

struct named *names_first(const struct names *names)
{
    return first_from(names, 0);
}

struct named *names_next(const struct names *names, const struct named *named)
{
    if (named->next != NULL)
        return named->next;
    return first_from(names, (size_t)(bucket_with(names, named) - names->buckets) + 1);
}
