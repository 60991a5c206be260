// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "redirect/ruleset.h"

size_t ruleset_key_length(enum ruleset_key key)
{
    static const size_t lengths[RULESET_KEYS] = {
        [RULESET_KEY_PORT] = 2,  [RULESET_KEY_INTERFACE] = 16, [RULESET_KEY_IPV4] = 4,
        [RULESET_KEY_IPV6] = 16, [RULESET_KEY_IPV4_PORT] = 8,  [RULESET_KEY_IPV6_PORT] = 20,
    };

    return lengths[key];
}

bool ruleset_key_next(uint8_t out[RULESET_KEY_MAX], const uint8_t key[RULESET_KEY_MAX],
                      enum ruleset_key kind)
{
    memcpy(out, key, RULESET_KEY_MAX);
    for (size_t i = ruleset_key_length(kind); i > 0; i--) {
        out[i - 1] = (uint8_t)(out[i - 1] + 1);
        if (out[i - 1] != 0)
            return true;
    }
    return false;
}

static int element_compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct ruleset_element));
}

static bool element_reaches(const struct ruleset_element *element,
                            const struct ruleset_element *next, enum ruleset_key key, bool touching)
{
    uint8_t behind[RULESET_KEY_MAX];

    if (memcmp(next->first, element->last, RULESET_KEY_MAX) <= 0)
        return true;
    return touching && ruleset_key_next(behind, element->last, key) &&
           memcmp(next->first, behind, RULESET_KEY_MAX) == 0;
}

size_t ruleset_elements_normalise(struct ruleset_element *elements, size_t count,
                                  enum ruleset_key key, bool interval)
{
    size_t kept = 0;

    if (count == 0)
        return 0;
    qsort(elements, count, sizeof(*elements), element_compare);
    for (size_t i = 1; i < count; i++) {
        struct ruleset_element *last = &elements[kept];

        if (!element_reaches(last, &elements[i], key, interval))
            elements[++kept] = elements[i];
        else if (memcmp(elements[i].last, last->last, RULESET_KEY_MAX) > 0)
            memcpy(last->last, elements[i].last, RULESET_KEY_MAX);
    }
    return kept + 1;
}
