// SPDX-License-Identifier: GPL-2.0-or-later
/* Things by name, and the thumbprints that are kept in such a table. */
#include "base/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/thumbprints.h"

#define THUMBPRINT  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define THUMBPRINT2 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"

struct thing {
    struct named named;
    bool seen;
    char name[16];
};

static struct thing *find(const struct names *names, const char *name)
{
    return (void *)names_find(names, name, strlen(name));
}

static void test_names(void **state)
{
    struct thing a = {.name = "a"}, ab = {.name = "ab"}, none = {.name = ""};
    struct names names;

    (void)state;
    names_init(&names, offsetof(struct thing, name));
    assert_null(find(&names, "a"));
    assert_null(names_first(&names));
    assert_true(names_add(&names, &a.named));
    assert_true(names_add(&names, &ab.named));
    assert_ptr_equal(find(&names, "a"), &a);
    assert_ptr_equal(find(&names, "ab"), &ab);
    assert_null(find(&names, "A"));
    assert_null(find(&names, "abc"));
    assert_null(find(&names, ""));
    assert_true(names_add(&names, &none.named));
    assert_ptr_equal(find(&names, ""), &none);

    /* The length decides, whatever comes after, and a NUL is a byte like any other. */
    assert_ptr_equal(names_find(&names, "abc", 2), &ab.named);
    assert_null(names_find(&names, "a\0b", 3));
    assert_null(names_find(&names, "ab", 3));

    names_remove(&names, &a.named);
    assert_null(find(&names, "a"));
    assert_ptr_equal(find(&names, "ab"), &ab);
    names_deinit(&names);
    names_deinit(&names);
    assert_null(find(&names, "ab"));
}

#define MANY 5000

static void test_many(void **state)
{
    struct thing *things = calloc(MANY, sizeof(*things));
    struct names names;
    size_t count = 0;

    (void)state;
    assert_non_null(things);
    names_init(&names, offsetof(struct thing, name));
    for (unsigned int i = 0; i < MANY; i++) {
        snprintf(things[i].name, sizeof(things[i].name), "%u", i);
        assert_true(names_add(&names, &things[i].named));
        /* Of each size there is. */
        for (unsigned int j = i > 40 ? i - 40 : 0; j <= i; j++)
            assert_ptr_equal(find(&names, things[j].name), &things[j]);
        assert_int_equal(names.bucket_count, i + 1);
        assert_true(names.half <= i + 1 && i + 1 < names.half * 2);
    }
    for (unsigned int i = 0; i < MANY; i++)
        assert_ptr_equal(find(&names, things[i].name), &things[i]);

    /* Each once, and every other one goes on the way. */
    struct named *next;
    for (struct named *one = names_first(&names); one != NULL; one = next) {
        struct thing *thing = (void *)one;
        next = names_next(&names, one);
        assert_false(thing->seen);
        thing->seen = true;
        if (++count % 2 == 0)
            names_remove(&names, one);
    }
    assert_int_equal(count, MANY);
    assert_int_equal(names.count, MANY / 2);
    count = 0;
    for (unsigned int i = 0; i < MANY; i++)
        count += find(&names, things[i].name) != NULL;
    assert_int_equal(count, MANY / 2);

    /* With the last one all memory is given back. */
    while (names.count > 0)
        names_remove(&names, names_first(&names));
    assert_null(names.buckets);
    assert_null(names_first(&names));
    assert_true(names_add(&names, &things[0].named));
    assert_ptr_equal(find(&names, "0"), &things[0]);
    names_deinit(&names);
    free(things);
}

/* Nobody can tell from one table what shares a bucket in another. */
static void test_seed(void **state)
{
    struct names one, other;

    (void)state;
    names_init(&one, 0);
    names_init(&other, 0);
    assert_memory_not_equal(one.seed, other.seed, sizeof(one.seed));
}

static void test_thumbprints(void **state)
{
    struct names thumbprints;

    (void)state;
    thumbprints_init(&thumbprints);
    struct thumbprint *one = thumbprint_use(&thumbprints, THUMBPRINT);
    struct thumbprint *other = thumbprint_use(&thumbprints, THUMBPRINT2);
    assert_string_equal(one->text, THUMBPRINT);
    assert_string_equal(other->text, THUMBPRINT2);
    assert_ptr_equal(thumbprint_use(&thumbprints, THUMBPRINT), one);
    assert_int_equal(thumbprints.count, 2);
    thumbprint_release(&thumbprints, one);
    assert_int_equal(thumbprints.count, 2);
    thumbprint_release(&thumbprints, one);
    assert_int_equal(thumbprints.count, 1);
    thumbprint_release(&thumbprints, other);
    assert_null(thumbprints.buckets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_thumbprints),
    };

    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
