// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/validators.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

void validators_deinit(struct validators *validators)
{
    struct validator *one, *next;

    HASH_ITER(hh, validators->list, one, next)
    {
        HASH_DEL(validators->list, one);
        free(one);
    }
    *validators = (struct validators){0};
}

struct validator *validators_note(struct validators *validators,
                                  const struct link_validation *validation)
{
    struct validator_key key = {.family = validation->family};
    struct validator *one;

    memcpy(key.address, validation->address, sizeof(key.address));
    validators->count++;
    HASH_FIND(hh, validators->list, &key, sizeof(key), one);
    if (one == NULL && HASH_COUNT(validators->list) < VALIDATORS_MAX) {
        one = calloc(1, sizeof(*one));
        if (one != NULL) {
            one->key = key;
            HASH_ADD(hh, validators->list, key, sizeof(one->key), one);
        }
    }
    if (one == NULL) {
        validators->unlisted++;
        return NULL;
    }
    one->validations++;
    one->last = validators->count;
    return one;
}

uint32_t validators_since(const struct validators *validators, uint64_t since)
{
    uint32_t count = 0;

    for (const struct validator *one = validators->list; one != NULL; one = one->hh.next)
        count += one->last > since;
    return count;
}

const char *validator_text(const struct validator *validator, char *out, size_t capacity)
{
    const char *text =
        inet_ntop(validator->key.family, validator->key.address, out, (socklen_t)capacity);

    return text == NULL ? "?" : text;
}
