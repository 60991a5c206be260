// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the above first */
#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "keeper/tokens.h"
#include "keeper/validators.h"

#define THUMBPRINT  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define THUMBPRINT2 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"

static struct challenge challenge_of(const char *token, const char *thumbprint)
{
    char text[CHALLENGE_KEY_AUTHORIZATION_MAX + 1];
    struct challenge challenge;

    challenge_join(text, token, strlen(token), thumbprint);
    assert_int_equal(challenge_parse(&challenge, text, strlen(text), NULL), 0);
    return challenge;
}

/* One that has begun, and holds its token. */
static struct window_reason *hold(struct tokens *tokens, uid_t uid, const char *token)
{
    struct window_reason *reason = window_reason_new(WINDOW_TOKEN, uid, WINDOW_FOREVER, "test");
    const struct challenge challenge = challenge_of(token, THUMBPRINT);

    assert_non_null(reason);
    reason->count = 1;
    assert_true(tokens_hold(tokens, reason, &challenge));
    assert_ptr_equal(reason->token, tokens_find(tokens, token));
    return reason;
}

/* Whether it was the last one. */
static bool let_go(struct tokens *tokens, struct window_reason *reason)
{
    bool last = token_is_last_holder(reason);

    tokens_let_go(tokens, reason);
    assert_null(reason->token);
    free(reason);
    return last;
}

static void every_user_holds_for_itself(void **state)
{
    struct tokens tokens;

    (void)state;
    tokens_init(&tokens);
    assert_null(tokens_find(&tokens, "one"));
    struct window_reason *root = hold(&tokens, 0, "one"), *other = hold(&tokens, 1000, "one");
    const struct token *one = tokens_find(&tokens, "one");
    assert_string_equal(one->name, "one");
    assert_string_equal(one->thumbprint->text, THUMBPRINT);
    assert_ptr_equal(token_holder(one, 0), root);
    assert_ptr_equal(token_holder(one, 1000), other);
    assert_null(token_holder(one, 1001));

    /* Served until the last one lets go, and only then told to be forgotten. */
    assert_false(let_go(&tokens, root));
    assert_ptr_equal(tokens_find(&tokens, "one"), one);
    assert_null(token_holder(one, 0));
    assert_true(let_go(&tokens, other));
    assert_null(tokens_find(&tokens, "one"));
    tokens_deinit(&tokens);
}

/* In the order in which they came, whoever goes. */
static void who_came_first_is_named_first(void **state)
{
    struct window_reason *holders[4];
    struct tokens tokens;

    (void)state;
    tokens_init(&tokens);
    for (uid_t uid = 0; uid < 4; uid++)
        holders[uid] = hold(&tokens, uid, "one");
    const struct token *one = tokens_find(&tokens, "one");
    assert_ptr_equal(token_any_holder(one), holders[0]);
    assert_false(let_go(&tokens, holders[1]));
    assert_ptr_equal(token_any_holder(one), holders[0]);
    assert_false(let_go(&tokens, holders[0]));
    assert_ptr_equal(token_any_holder(one), holders[2]);
    assert_false(let_go(&tokens, holders[3]));
    assert_true(let_go(&tokens, holders[2]));
    tokens_deinit(&tokens);
}

static void a_reason_that_never_held_lets_nothing_go(void **state)
{
    struct tokens tokens;

    (void)state;
    tokens_init(&tokens);
    struct window_reason *root = hold(&tokens, 0, "one");
    struct window_reason *stray = window_reason_new(WINDOW_HAND, 1000, WINDOW_FOREVER, "");
    assert_non_null(stray);
    assert_false(let_go(&tokens, stray));
    assert_ptr_equal(token_holder(tokens_find(&tokens, "one"), 0), root);
    tokens_deinit(&tokens);
    tokens_deinit(&tokens);
    free(root);
}

static void a_file_is_nobodys_registration(void **state)
{
    struct tokens tokens;

    (void)state;
    tokens_init(&tokens);
    struct window_reason *file = hold(&tokens, 0, "one");
    file->is_file = true;
    const struct token *token = tokens_find(&tokens, "one");
    assert_null(token_holder(token, 0));
    assert_null(token_any_holder(token));
    assert_ptr_equal(token_file_holder(token), file);
    struct window_reason *hook = hold(&tokens, 0, "one");
    assert_ptr_equal(token_holder(token, 0), hook);
    assert_ptr_equal(token_any_holder(token), hook);
    assert_ptr_equal(token_file_holder(token), file);
    assert_false(let_go(&tokens, hook));
    assert_null(token_any_holder(token));
    assert_true(let_go(&tokens, file));
    tokens_deinit(&tokens);
}

/* Removed and registered again in one turn: the first has ended and is not taken yet. */
static void what_has_ended_holds_nothing(void **state)
{
    struct tokens tokens;

    (void)state;
    tokens_init(&tokens);
    struct window_reason *ended = hold(&tokens, 0, "one");
    ended->count = 0;
    assert_null(token_holder(tokens_find(&tokens, "one"), 0));
    assert_null(token_any_holder(tokens_find(&tokens, "one")));
    struct window_reason *again = hold(&tokens, 0, "one");
    assert_ptr_equal(token_holder(tokens_find(&tokens, "one"), 0), again);
    assert_false(let_go(&tokens, ended));
    assert_true(let_go(&tokens, again));
    tokens_deinit(&tokens);
}

/* One of its own in the next life: of another account, and validated by nobody. */
static void a_token_that_comes_back_is_another(void **state)
{
    const struct challenge one = challenge_of("one", THUMBPRINT);
    const struct challenge other = challenge_of("one", THUMBPRINT2);
    struct tokens tokens;

    (void)state;
    tokens_init(&tokens);
    struct window_reason *reason = hold(&tokens, 0, "one");
    assert_true(token_is_of(reason->token, &one));
    assert_false(token_is_of(reason->token, &other));
    reason->token->validated = true;
    tokens_let_go(&tokens, reason);
    assert_true(tokens_hold(&tokens, reason, &other));
    assert_true(token_is_of(reason->token, &other));
    assert_false(reason->token->validated);
    assert_true(let_go(&tokens, reason));
    assert_int_equal(tokens.thumbprints.count, 0);
    tokens_deinit(&tokens);
}

static void the_shortest_and_the_longest(void **state)
{
    char longest[CHALLENGE_TOKEN_MAX + 1] = "";
    struct tokens tokens;

    (void)state;
    memset(longest, 'x', CHALLENGE_TOKEN_MAX);
    tokens_init(&tokens);
    struct window_reason *one = hold(&tokens, 0, "x"), *other = hold(&tokens, 0, longest);
    assert_string_equal(one->token->name, "x");
    assert_string_equal(other->token->name, longest);
    longest[CHALLENGE_TOKEN_MAX - 1] = '\0';
    assert_null(tokens_find(&tokens, longest));
    assert_true(let_go(&tokens, one));
    assert_true(let_go(&tokens, other));
    tokens_deinit(&tokens);
}

#define MANY 10000

/* With all that is kept of one: a token of a CA's length, of a hook that says for whom. */
static void one_takes_little_memory(void **state)
{
    static struct window_reason *reasons[MANY];
    struct tokens tokens;
    size_t seen = 0;
    char name[64];

    (void)state;
    tokens_init(&tokens);
    struct mallinfo2 before = mallinfo2();
    for (unsigned int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowy%08u", i);
        reasons[i] = hold(&tokens, i, name);
    }
    struct mallinfo2 after = mallinfo2();
    /* A sanitizer's own allocator reports nothing: then this holds of itself. */
    assert_true(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd <
                (size_t)200 * MANY);
    for (const struct token *one = tokens_first(&tokens); one != NULL;
         one = tokens_next(&tokens, one)) {
        assert_ptr_equal(one, reasons[one->holders->uid]->token);
        seen++;
    }
    assert_int_equal(seen, MANY);
    assert_int_equal(tokens.thumbprints.count, 1);
    for (unsigned int i = 0; i < MANY; i++)
        assert_true(let_go(&tokens, reasons[i]));
    assert_null(tokens_first(&tokens));
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
        cmocka_unit_test(who_came_first_is_named_first),
        cmocka_unit_test(a_reason_that_never_held_lets_nothing_go),
        cmocka_unit_test(a_file_is_nobodys_registration),
        cmocka_unit_test(what_has_ended_holds_nothing),
        cmocka_unit_test(a_token_that_comes_back_is_another),
        cmocka_unit_test(the_shortest_and_the_longest),
        cmocka_unit_test(one_takes_little_memory),
        cmocka_unit_test(validators_are_counted_by_address),
        cmocka_unit_test(the_same_bytes_of_another_family_are_another_address),
        cmocka_unit_test(strangers_do_not_decide_how_much_memory_it_takes),
    };

    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
