// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wicket/challenge.h"

/* RFC 8555 section 8.3 has this token; the thumbprint is that of RFC 7638 section 3.1. */
#define TOKEN      "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
#define THUMBPRINT "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
#define HINT       "; only A-Z a-z 0-9 - _ are allowed"

static void test_parse(void **state)
{
    (void)state;
    static const char text[] = TOKEN "." THUMBPRINT;
    struct challenge challenge;
    memset(&challenge, 'Z', sizeof(challenge));
    assert_int_equal(challenge_parse(&challenge, text, strlen(text), NULL), 0);
    assert_string_equal(challenge.token, TOKEN);
    assert_string_equal(challenge.key_authorization, text);
    assert_string_equal(challenge_thumbprint(&challenge), THUMBPRINT);
    assert_false(challenge_is_long(&challenge));
}

static void test_needs_no_nul(void **state)
{
    (void)state;
    static const char text[] = {'a', 'b', 'Z'};
    assert_true(challenge_is_token(text, 2));
    assert_int_equal(challenge_check_token(text, 2, NULL), 0);
}

static void test_token_lengths(void **state)
{
    (void)state;
    char text[CHALLENGE_TOKEN_MAX + 1];
    memset(text, 'a', sizeof(text));
    assert_false(challenge_is_token(text, 0));
    for (size_t length = 1; length <= CHALLENGE_TOKEN_MAX; length++) {
        assert_true(challenge_is_token(text, length));
        assert_int_equal(challenge_check_token(text, length, NULL), 0);
    }
    assert_false(challenge_is_token(text, CHALLENGE_TOKEN_MAX + 1));
    assert_int_equal(challenge_check_token(text, CHALLENGE_TOKEN_MAX + 1, NULL), -1);
}

static void test_alphabet(void **state)
{
    (void)state;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (int byte = 0; byte < 256; byte++) {
        char text[3] = {'a', (char)byte, 'b'};
        bool good = byte != 0 && strchr(alphabet, byte) != NULL;
        assert_int_equal(challenge_is_token(text, sizeof(text)), good);
        assert_int_equal(challenge_check_token(text, sizeof(text), NULL), good ? 0 : -1);
    }
}

static void test_long(void **state)
{
    (void)state;
    char text[CHALLENGE_KEY_AUTHORIZATION_MAX + 1];
    for (size_t token_length = 80; token_length <= CHALLENGE_TOKEN_MAX; token_length++) {
        memset(text, 't', token_length);
        memcpy(text + token_length, "." THUMBPRINT, CHALLENGE_THUMBPRINT_LENGTH + 2);
        struct challenge challenge;
        assert_int_equal(challenge_parse(&challenge, text, strlen(text), NULL), 0);
        assert_int_equal(challenge_is_long(&challenge), strlen(text) >= 128);
    }
}

static void test_refusals_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length; /* 0: strlen */
        const char *why;
    } rows[] = {
        {"", 0,
         "the key authorization is empty: it is a token, a dot and the account key's thumbprint"},
        {TOKEN, 0,
         "key authorization \"" TOKEN "\" has no dot: it is a token, a dot and the account key's "
         "thumbprint"},
        {"." THUMBPRINT, 0, "key authorization: the token is empty: it has 1 to 256 characters"},
        {"abc.", 0,
         "key authorization: thumbprint \"\" has 0 characters: the thumbprint of an account key "
         "has 43"},
        {"abc.def", 0,
         "key authorization: thumbprint \"def\" has 3 characters: the thumbprint of an account "
         "key has 43"},
        {"abc." THUMBPRINT "x", 0,
         "key authorization: thumbprint \"" THUMBPRINT "x\" has 44 characters: the thumbprint of "
         "an account key has 43"},
        {"a/c." THUMBPRINT, 0,
         "key authorization: token \"a/c\": character 2 is \"/\" (this is plain base64, not "
         "base64url)" HINT},
        {"ab=." THUMBPRINT, 0,
         "key authorization: token \"ab=\": character 3 is \"=\" (ACME uses no padding)" HINT},
        {" ab." THUMBPRINT, 0,
         "key authorization: token \" ab\": character 1 is \" \" (white space)" HINT},
        {"abc." THUMBPRINT "\n", 0,
         "key authorization: thumbprint \"" THUMBPRINT "\\x0a\": character 44 is \"\\x0a\" (white "
         "space)" HINT},
        {"a\0c." THUMBPRINT, 47,
         "key authorization: token \"a\\x00c\": character 2 is \"\\x00\"" HINT},
        {"abc.def." THUMBPRINT, 0,
         "key authorization: thumbprint \"def." THUMBPRINT "\": character 4 is \".\"" HINT},
        {"\x1b[2J.x", 0, "key authorization: token \"\\x1b[2J\": character 1 is \"\\x1b\"" HINT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t length = rows[i].length ? rows[i].length : strlen(rows[i].text);
        struct challenge challenge;
        struct error error = {0};
        memset(&challenge, 'Z', sizeof(challenge));
        assert_int_equal(challenge_parse(&challenge, rows[i].text, length, &error), -1);
        assert_int_equal(error.exit_code, 65);
        assert_string_equal(error.text, rows[i].why);
        assert_int_equal(challenge.token[0], 'Z');
    }
}

static void test_long_refusal_fits(void **state)
{
    (void)state;
    char text[5000];
    struct error error = {0};
    memset(text, 'a', sizeof(text));
    assert_int_equal(challenge_check_token(text, sizeof(text), &error), -1);
    assert_non_null(strstr(error.text, "...\" has 5000 characters: at most 256 are allowed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_needs_no_nul),
        cmocka_unit_test(test_token_lengths),
        cmocka_unit_test(test_alphabet),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_refusals_say_why),
        cmocka_unit_test(test_long_refusal_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
