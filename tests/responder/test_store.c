// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log_limit.h"
#include "responder/tokens.h"
#include "responder/undecided.h"
#include "wicket/challenge.h"
#include "wicket/log.h"

#define THUMBPRINT  "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
#define THUMBPRINT2 "OzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

/* ---- tokens ---- */

static void test_tokens(void **state)
{
    char out[CHALLENGE_KEY_AUTHORIZATION_MAX + 1];
    struct tokens tokens;

    (void)state;
    tokens_init(&tokens);
    assert_null(tokens_find(&tokens, out, "a", 1));
    assert_true(tokens_put(&tokens, "a." THUMBPRINT));
    assert_true(tokens_put(&tokens, "ab." THUMBPRINT));
    assert_string_equal(tokens_find(&tokens, out, "a", 1), "a." THUMBPRINT);
    assert_string_equal(tokens_find(&tokens, out, "abc", 2), "ab." THUMBPRINT);
    assert_null(tokens_find(&tokens, out, "abc", 3));
    assert_null(tokens_find(&tokens, out, "A", 1));
    assert_null(tokens_find(&tokens, out, "", 0));
    assert_null(tokens_find(&tokens, out, "a\0b", 3));
    assert_null(tokens_find(&tokens, out, "a." THUMBPRINT, strlen("a." THUMBPRINT)));

    assert_true(tokens_put(&tokens, "a." THUMBPRINT));
    assert_true(tokens_put(&tokens, "a." THUMBPRINT2));
    assert_string_equal(tokens_find(&tokens, out, "a", 1), "a." THUMBPRINT2);
    assert_int_equal(tokens.thumbprints.count, 2);
    assert_true(tokens_put(&tokens, "ab." THUMBPRINT2));
    assert_int_equal(tokens.thumbprints.count, 1);
    assert_true(tokens_put(&tokens, "ab." THUMBPRINT));
    tokens_forget(&tokens, "a");
    tokens_forget(&tokens, "a");
    assert_null(tokens_find(&tokens, out, "a", 1));
    assert_string_equal(tokens_find(&tokens, out, "ab", 2), "ab." THUMBPRINT);
    tokens_deinit(&tokens);
    tokens_deinit(&tokens);
    assert_null(tokens_find(&tokens, out, "ab", 2));
}

#define LEAST "0123456789012345678901" /* 22 characters */

static void test_stateless(void **state)
{
    char buffer[CHALLENGE_KEY_AUTHORIZATION_MAX + 1], longest[CHALLENGE_TOKEN_MAX + 1];
    struct tokens tokens;

    (void)state;
    tokens_init(&tokens);
    assert_true(tokens_put(&tokens, "a." THUMBPRINT));
    assert_null(tokens_answer(&tokens, buffer, LEAST, 22));
    tokens_set_stateless(&tokens, THUMBPRINT2);
    assert_string_equal(tokens_answer(&tokens, buffer, LEAST, 22), LEAST "." THUMBPRINT2);
    assert_null(tokens_answer(&tokens, buffer, LEAST, 21));
    assert_null(tokens_answer(&tokens, buffer, "012345678901234567890.", 22));
    assert_null(tokens_answer(&tokens, buffer, "012345678901234567890/", 22));
    assert_null(tokens_answer(&tokens, buffer, "012345678901234567890\0", 22));
    memset(longest, 'x', sizeof(longest));
    assert_non_null(tokens_answer(&tokens, buffer, longest, CHALLENGE_TOKEN_MAX));
    assert_int_equal(strlen(buffer), CHALLENGE_KEY_AUTHORIZATION_MAX);
    assert_null(tokens_answer(&tokens, buffer, longest, CHALLENGE_TOKEN_MAX + 1));

    /* What is registered wins, whatever its length. */
    assert_string_equal(tokens_answer(&tokens, buffer, "a", 1), "a." THUMBPRINT);
    assert_true(tokens_put(&tokens, LEAST "." THUMBPRINT));
    assert_string_equal(tokens_answer(&tokens, buffer, LEAST, 22), LEAST "." THUMBPRINT);
    tokens_forget(&tokens, LEAST);
    assert_string_equal(tokens_answer(&tokens, buffer, LEAST, 22), LEAST "." THUMBPRINT2);
    tokens_set_stateless(&tokens, "");
    assert_null(tokens_answer(&tokens, buffer, LEAST, 22));
    tokens_deinit(&tokens);
}

static void test_longest_token(void **state)
{
    char text[CHALLENGE_KEY_AUTHORIZATION_MAX + 1], out[CHALLENGE_KEY_AUTHORIZATION_MAX + 1];
    struct tokens tokens;

    (void)state;
    tokens_init(&tokens);
    memset(text, 'x', CHALLENGE_TOKEN_MAX);
    memcpy(text + CHALLENGE_TOKEN_MAX, "." THUMBPRINT, sizeof("." THUMBPRINT));
    assert_true(tokens_put(&tokens, text));
    assert_string_equal(tokens_find(&tokens, out, text, CHALLENGE_TOKEN_MAX), text);
    assert_null(tokens_find(&tokens, out, text, CHALLENGE_TOKEN_MAX - 1));
    assert_null(tokens_find(&tokens, out, text, CHALLENGE_TOKEN_MAX + 1));
    tokens_deinit(&tokens);
}

#define MANY 100000

static void many_text(char *out, size_t capacity, int i)
{
    snprintf(out, capacity, "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowy%08d." THUMBPRINT, i);
}

static void test_many_tokens(void **state)
{
    char text[128], out[CHALLENGE_KEY_AUTHORIZATION_MAX + 1];
    struct tokens tokens;

    (void)state;
    tokens_init(&tokens);
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < MANY; i++) {
        many_text(text, sizeof(text), i);
        assert_true(tokens_put(&tokens, text));
    }
    struct mallinfo2 after = mallinfo2();
    /* A sanitizer's own allocator reports nothing: then this holds of itself. */
    assert_true(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd <
                (size_t)10 * 1000 * 1000);
    for (int i = 0; i < MANY; i += 997) {
        many_text(text, sizeof(text), i);
        assert_string_equal(tokens_find(&tokens, out, text, strcspn(text, ".")), text);
    }

    /* While there is one, nothing is given back; then all of it is. */
    for (int i = 0; i < MANY; i++) {
        many_text(text, sizeof(text), i);
        text[strcspn(text, ".")] = '\0';
        tokens_trim(&tokens);
        assert_int_equal(tokens.most, MANY);
        tokens_forget(&tokens, text);
    }
    assert_null(tokens_find(&tokens, out, text, strlen(text)));
    tokens_trim(&tokens);
    assert_int_equal(tokens.most, 0);
    after = mallinfo2();
    assert_true(after.uordblks + after.hblkhd <= before.uordblks + before.hblkhd + 4096);
    tokens_deinit(&tokens);
}

/* ---- undecided ---- */

static struct connection make(const char *address)
{
    struct connection connection = {0};
    assert_int_equal(inet_pton(AF_INET6, address, &connection.address), 1);
    return connection;
}

static struct connection *victim(const struct undecided *undecided, const char *address)
{
    struct connection connection = make(address);
    return undecided_find_victim(undecided, &connection.address);
}

static void test_undecided_total(void **state)
{
    struct undecided undecided;
    struct connection a = make("::ffff:192.0.2.1"), b = make("::ffff:192.0.2.2"),
                      c = make("2001:db8::1");

    (void)state;
    assert_int_equal(undecided_init(&undecided, 3, 2), 0);
    assert_null(undecided_oldest(&undecided));
    assert_true(undecided_join(&undecided, &a));
    assert_true(undecided_join(&undecided, &b));
    assert_null(victim(&undecided, "::ffff:192.0.2.9"));
    assert_true(undecided_join(&undecided, &c));
    assert_ptr_equal(victim(&undecided, "::ffff:192.0.2.9"), &a);
    undecided_leave(&undecided, &a);
    undecided_leave(&undecided, &a);
    assert_int_equal(undecided.count, 2);
    assert_null(victim(&undecided, "::ffff:192.0.2.9"));
    assert_ptr_equal(undecided_oldest(&undecided), &b);
    undecided_deinit(&undecided);
    assert_int_equal(undecided.count, 0);
    assert_null(undecided.addresses);
    undecided_deinit(&undecided);
}

/* The oldest of that address makes room, not the oldest of all. */
static void test_undecided_per_address(void **state)
{
    struct undecided undecided;
    struct connection other = make("::ffff:192.0.2.1"), a = make("2001:db8:0:1::1"),
                      b = make("2001:db8:0:1:ffff::2");

    (void)state;
    assert_int_equal(undecided_init(&undecided, 100, 2), 0);
    assert_true(undecided_join(&undecided, &other));
    assert_true(undecided_join(&undecided, &a));
    assert_null(victim(&undecided, "2001:db8:0:1::3"));
    assert_true(undecided_join(&undecided, &b));
    assert_ptr_equal(victim(&undecided, "2001:db8:0:1:8000::"), &a); /* the same /64 */
    assert_null(victim(&undecided, "2001:db8:0:2::1"));
    assert_null(victim(&undecided, "::ffff:192.0.2.1"));
    undecided_deinit(&undecided);
}

/* Mapped addresses share a /64 and are told apart all the same. */
static void test_undecided_ipv4(void **state)
{
    struct undecided undecided;
    struct connection a = make("::ffff:192.0.2.1");

    (void)state;
    assert_int_equal(undecided_init(&undecided, 100, 1), 0);
    assert_true(undecided_join(&undecided, &a));
    assert_ptr_equal(victim(&undecided, "::ffff:192.0.2.1"), &a);
    assert_null(victim(&undecided, "::ffff:192.0.2.2"));
    undecided_deinit(&undecided);
}

/* ---- log_limit ---- */

static void test_log_limit(void **state)
{
    struct log_limit limit = {0};

    (void)state;
    for (unsigned second = 5; second < 7; second++) {
        for (unsigned i = 0; i < LOG_LIMIT_LINES; i++)
            assert_true(log_limit_take(&limit, second * 1000));
        assert_false(log_limit_take(&limit, second * 1000 + 999));
        assert_int_equal(limit.dropped, 1);
    }
}

/* What was left out is told when the second is over, with no further line to wait for. */
static void test_log_limit_tick(void **state)
{
    struct log_limit limit = {.about = "this", .most = 2};

    (void)state;
    assert_true(log_limit_next_ms(&limit) == UINT64_MAX);
    assert_true(log_limit_take(&limit, 5000));
    assert_true(log_limit_take(&limit, 5001));
    assert_true(log_limit_next_ms(&limit) == UINT64_MAX);
    assert_false(log_limit_take(&limit, 5002));
    assert_false(log_limit_take(&limit, 5003));
    assert_true(log_limit_next_ms(&limit) == 6000);
    log_limit_tick(&limit, 5999);
    assert_int_equal(limit.dropped, 2);
    log_limit_tick(&limit, 6000);
    assert_int_equal(limit.dropped, 0);
    assert_true(log_limit_next_ms(&limit) == UINT64_MAX);
    assert_true(log_limit_take(&limit, 6001));
    assert_true(log_limit_take(&limit, 6002));
    assert_false(log_limit_take(&limit, 6003));
    assert_string_equal(limit.about, "this");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),          cmocka_unit_test(test_stateless),
        cmocka_unit_test(test_longest_token),   cmocka_unit_test(test_many_tokens),
        cmocka_unit_test(test_undecided_total), cmocka_unit_test(test_undecided_per_address),
        cmocka_unit_test(test_undecided_ipv4),  cmocka_unit_test(test_log_limit),
        cmocka_unit_test(test_log_limit_tick),
    };
    log_init(-1, "test", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
