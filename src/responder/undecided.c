// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/undecided.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define HASH_NONFATAL_OOM          1
#define uthash_nonfatal_oom(entry) ((entry)->lost = true)
#include <uthash.h>
#include <utlist.h>

struct address_entry {
    struct in6_addr key;
    size_t count;
    struct connection *list; /* oldest first */
    bool lost;               /* the table could not grow to take it */
    UT_hash_handle hh;
};

int undecided_init(struct undecided *undecided, size_t total, size_t per_address)
{
    *undecided = (struct undecided){.total = total, .per_address = per_address};
    ssize_t got = getrandom(undecided->seed, sizeof(undecided->seed), 0);
    if (got != (ssize_t)sizeof(undecided->seed)) {
        errno = got < 0 ? errno : EIO;
        return -1;
    }
    return 0;
}

void undecided_deinit(struct undecided *undecided)
{
    while (undecided->list)
        undecided_leave(undecided, undecided->list);
}

/* Whoever has an IPv6 address has the /64 around it. */
static struct in6_addr undecided_key(const struct in6_addr *address)
{
    struct in6_addr key = *address;
    if (!IN6_IS_ADDR_V4MAPPED(address))
        memset(&key.s6_addr[8], 0, 8);
    return key;
}

/* Multiply and fold, keyed: nobody outside can find addresses that collide. */
static unsigned undecided_hash(const struct undecided *undecided, const struct in6_addr *key)
{
    uint64_t half[2];
    memcpy(half, key, sizeof(half));
    __extension__ unsigned __int128 product = (unsigned __int128)(half[0] ^ undecided->seed[0]) *
                                              (half[1] ^ undecided->seed[1] ^ half[0]);
    uint64_t folded = (uint64_t)product ^ (uint64_t)(product >> 64);
    return (unsigned)(folded ^ (folded >> 32));
}

static struct address_entry *undecided_find(const struct undecided *undecided,
                                            const struct in6_addr *key)
{
    struct address_entry *entry = NULL;
    unsigned hash = undecided_hash(undecided, key);
    HASH_FIND_BYHASHVALUE(hh, undecided->addresses, key, sizeof(*key), hash, entry);
    return entry;
}

struct connection *undecided_oldest(const struct undecided *undecided)
{
    return undecided->list;
}

struct connection *undecided_find_victim(const struct undecided *undecided,
                                         const struct in6_addr *address)
{
    struct in6_addr key = undecided_key(address);
    const struct address_entry *entry = undecided_find(undecided, &key);

    if (entry && entry->count >= undecided->per_address)
        return entry->list;
    return undecided->count >= undecided->total ? undecided->list : NULL;
}

static struct address_entry *undecided_add(struct undecided *undecided, const struct in6_addr *key)
{
    struct address_entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    entry->key = *key;
    unsigned hash = undecided_hash(undecided, key);
    HASH_ADD_BYHASHVALUE(hh, undecided->addresses, key, sizeof(*key), hash, entry);
    if (entry->lost) {
        free(entry);
        return NULL;
    }
    return entry;
}

bool undecided_join(struct undecided *undecided, struct connection *connection)
{
    struct in6_addr key = undecided_key(&connection->address);
    struct address_entry *entry = undecided_find(undecided, &key);

    if (!entry)
        entry = undecided_add(undecided, &key);
    if (!entry)
        return false;
    entry->count++;
    undecided->count++;
    connection->address_entry = entry;
    DL_APPEND2(entry->list, connection, address_prev, address_next);
    DL_APPEND2(undecided->list, connection, undecided_prev, undecided_next);
    return true;
}

void undecided_leave(struct undecided *undecided, struct connection *connection)
{
    struct address_entry *entry = connection->address_entry;

    if (!entry)
        return;
    DL_DELETE2(entry->list, connection, address_prev, address_next);
    DL_DELETE2(undecided->list, connection, undecided_prev, undecided_next);
    connection->address_entry = NULL;
    undecided->count--;
    if (--entry->count == 0) {
        HASH_DEL(undecided->addresses, entry);
        free(entry);
    }
}
