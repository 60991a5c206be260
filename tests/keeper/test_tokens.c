// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the above first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "keeper/tokens.h"
#include "keeper/validators.h"

#define THUMBPRINT "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static struct window_reason reason_of(uid_t uid, const char *token)
{
    struct window_reason reason = {.kind = WINDOW_TOKEN, .uid = uid, .count = 1};

    snprintf(reason.challenge.token, sizeof(reason.challenge.token), "%s", token);
    snprintf(reason.challenge.key_authorization, sizeof(reason.challenge.key_authorization),
             "%s." THUMBPRINT, token);
    return reason;
}

static void every_user_holds_for_itself(void **state)
{
    struct tokens tokens = {0};
    struct window_reason root = reason_of(0, "one"), other = reason_of(1000, "one");

    (void)state;
    assert_null(tokens_find(&tokens, "one"));
    assert_non_null(tokens_hold(&tokens, &root));
    assert_ptr_equal(tokens_hold(&tokens, &other), tokens_find(&tokens, "one"));
    assert_ptr_equal(token_holder(tokens_find(&tokens, "one"), 0), &root);
    assert_ptr_equal(token_holder(tokens_find(&tokens, "one"), 1000), &other);
    assert_null(token_holder(tokens_find(&tokens, "one"), 1001));

    /* Served until the last one lets go, and only then told to be forgotten. */
    assert_false(tokens_let_go(&tokens, &root));
    assert_non_null(tokens_find(&tokens, "one"));
    assert_null(token_holder(tokens_find(&tokens, "one"), 0));
    assert_true(tokens_let_go(&tokens, &other));
    assert_null(tokens_find(&tokens, "one"));
    assert_false(tokens_let_go(&tokens, &other));
    tokens_deinit(&tokens);
}

static void a_reason_that_never_held_lets_nothing_go(void **state)
{
    struct tokens tokens = {0};
    struct window_reason root = reason_of(0, "one"), stray = reason_of(1000, "one");

    (void)state;
    assert_non_null(tokens_hold(&tokens, &root));
    assert_false(tokens_let_go(&tokens, &stray));
    assert_ptr_equal(token_holder(tokens_find(&tokens, "one"), 0), &root);
    tokens_deinit(&tokens);
    tokens_deinit(&tokens);
}

static void a_file_is_nobodys_registration(void **state)
{
    struct tokens tokens = {0};
    struct window_reason hook = reason_of(0, "one"), file = reason_of(0, "one");

    (void)state;
    file.is_file = true;
    assert_non_null(tokens_hold(&tokens, &file));
    const struct token *token = tokens_find(&tokens, "one");
    assert_null(token_holder(token, 0));
    assert_null(token_any_holder(token));
    assert_ptr_equal(token_file_holder(token), &file);
    assert_non_null(tokens_hold(&tokens, &hook));
    assert_ptr_equal(token_holder(token, 0), &hook);
    assert_ptr_equal(token_any_holder(token), &hook);
    assert_ptr_equal(token_file_holder(token), &file);
    assert_false(tokens_let_go(&tokens, &hook));
    assert_null(token_any_holder(token));
    assert_true(tokens_let_go(&tokens, &file));
    tokens_deinit(&tokens);
}

/* Removed and registered again in one turn: the first has ended and is not taken yet. */
static void what_has_ended_holds_nothing(void **state)
{
    struct tokens tokens = {0};
    struct window_reason ended = reason_of(0, "one"), again = reason_of(0, "one");

    (void)state;
    assert_non_null(tokens_hold(&tokens, &ended));
    ended.count = 0;
    assert_null(token_holder(tokens_find(&tokens, "one"), 0));
    assert_null(token_any_holder(tokens_find(&tokens, "one")));
    assert_non_null(tokens_hold(&tokens, &again));
    assert_ptr_equal(token_holder(tokens_find(&tokens, "one"), 0), &again);
    assert_false(tokens_let_go(&tokens, &ended));
    assert_true(tokens_let_go(&tokens, &again));
    tokens_deinit(&tokens);
}

static struct link_validation validation_from(uint8_t last)
{
    struct link_validation validation = {.family = AF_INET, .address = {192, 0, 2, last}};

    return validation;
}

static void validators_are_counted_by_address(void **state)
{
    struct validators validators = {0};
    struct link_validation one = validation_from(1), two = validation_from(2);
    char text[64];

    (void)state;
    validators_note(&validators, &one);
    validators_note(&validators, &one);
    uint64_t then = validators.count;
    assert_int_equal(validators_since(&validators, 0), 1);
    assert_int_equal(validators_since(&validators, then), 0);
    validators_note(&validators, &two);
    validators_note(&validators, &one);
    assert_int_equal(validators_since(&validators, then), 2);
    assert_int_equal(validators.list->validations, 3);
    assert_string_equal(validator_text(validators.list, text, sizeof(text)), "192.0.2.1");
    validators_deinit(&validators);
    validators_deinit(&validators);
}

static void the_same_bytes_of_another_family_are_another_address(void **state)
{
    struct validators validators = {0};
    struct link_validation v4 = validation_from(1), v6 = validation_from(1);
    char text[64];

    (void)state;
    v6.family = AF_INET6;
    validators_note(&validators, &v4);
    validators_note(&validators, &v6);
    assert_int_equal(validators_since(&validators, 0), 2);
    const struct validator *second = validators.list->hh.next;
    assert_string_equal(validator_text(second, text, sizeof(text)), "c000:201::");
    validators_deinit(&validators);
}

static void strangers_do_not_decide_how_much_memory_it_takes(void **state)
{
    struct validators validators = {0};

    (void)state;
    for (uint32_t i = 0; i < VALIDATORS_MAX + 100; i++) {
        struct link_validation validation = {.family = AF_INET};
        memcpy(validation.address, &i, sizeof(i));
        validators_note(&validators, &validation);
    }
    assert_int_equal(HASH_COUNT(validators.list), VALIDATORS_MAX);
    assert_int_equal(validators.unlisted, 100);
    assert_int_equal(validators.count, VALIDATORS_MAX + 100);
    validators_deinit(&validators);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_user_holds_for_itself),
        cmocka_unit_test(a_reason_that_never_held_lets_nothing_go),
        cmocka_unit_test(a_file_is_nobodys_registration),
        cmocka_unit_test(what_has_ended_holds_nothing),
        cmocka_unit_test(validators_are_counted_by_address),
        cmocka_unit_test(the_same_bytes_of_another_family_are_another_address),
        cmocka_unit_test(strangers_do_not_decide_how_much_memory_it_takes),
    };

    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
