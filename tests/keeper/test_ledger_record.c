// SPDX-License-Identifier: GPL-2.0-or-later
/* The lines of the ledger: what is in them, and what must not be. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "keeper/ledger_record.h"
#include "keeper/tokens.h"

#define TOKEN      "token-of-the-record"
#define THUMBPRINT "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"

static const struct ledger_stamp stamp = {{1709251199, 5000000}, "abc-1", 7};

/* The line is one line, JSON, and begins as all do. */
static json_t *parse(char *line, const char *event)
{
    assert_non_null(line);
    size_t length = strlen(line);
    assert_true(length < LEDGER_LINE_MAX);
    assert_ptr_equal(strchr(line, '\n'), line + length - 1);
    assert_null(strstr(line, TOKEN));
    assert_null(strstr(line, THUMBPRINT));
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    free(line);
    assert_int_equal(json_integer_value(json_object_get(object, "v")), 1);
    assert_string_equal(json_string_value(json_object_get(object, "time")),
                        "2024-02-29T23:59:59.005Z");
    assert_string_equal(json_string_value(json_object_get(object, "event")), event);
    assert_string_equal(json_string_value(json_object_get(object, "keeper")), "abc-1");
    return object;
}

static void is_text(const json_t *object, const char *key, const char *text)
{
    const json_t *value = json_object_get(object, key);

    if (text == NULL)
        assert_true(json_is_null(value));
    else
        assert_string_equal(json_string_value(value), text);
}

static void is_number(const json_t *object, const char *key, long long number)
{
    assert_true(json_is_integer(json_object_get(object, key)));
    assert_int_equal(json_integer_value(json_object_get(object, key)), number);
}

static void test_digest(void **state)
{
    char out[LEDGER_DIGEST];

    (void)state;
    /* FIPS 180-2 */
    assert_string_equal(ledger_digest(out, "abc", 3),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static struct window_reason *reason_of(enum window_kind kind)
{
    struct window_reason *reason =
        window_reason_new(kind, 1000, WINDOW_FOREVER, "certbot hook for \"a\\b\"");

    assert_non_null(reason);
    reason->pid = 77;
    return reason;
}

static void test_reasons(void **state)
{
    const struct challenge challenge = {TOKEN, TOKEN "." THUMBPRINT};
    struct window_reason *reason = reason_of(WINDOW_TOKEN);
    char digest[LEDGER_DIGEST];
    struct tokens tokens;

    (void)state;
    tokens_init(&tokens);
    assert_true(tokens_hold(&tokens, reason, &challenge));
    json_t *object = parse(ledger_record_reason(&stamp, reason), "token-registered");
    is_text(object, "window", "abc-1/7");
    is_text(object, "kind", "token");
    is_text(object, "purpose", "certbot hook for \"a\\b\"");
    is_number(object, "uid", 1000);
    is_number(object, "pid", 77);
    is_text(object, "token_sha256", ledger_digest(digest, TOKEN, strlen(TOKEN)));
    is_text(object, "account_sha256", ledger_digest(digest, THUMBPRINT, strlen(THUMBPRINT)));
    json_decref(object);

    reason->is_file = true;
    object = parse(ledger_record_reason(&stamp, reason), "token-registered");
    is_text(object, "kind", "file");
    json_decref(object);
    tokens_deinit(&tokens);
    free(reason);

    reason = reason_of(WINDOW_RUN);
    object = parse(ledger_record_reason(&stamp, reason), "window-asked");
    is_text(object, "kind", "run");
    assert_null(json_object_get(object, "token_sha256"));
    json_decref(object);
    free(reason);
}

static void test_opened(void **state)
{
    struct window_reason *reason = reason_of(WINDOW_HAND);
    const struct ledger_opened opened = {reason, "", 80, 4026531840};

    (void)state;
    json_t *object = parse(ledger_record_opened(&stamp, &opened), "window-opened");
    is_text(object, "kind", "open");
    is_text(object, "ruleset_sha256", NULL);
    is_number(object, "port", 80);
    is_number(object, "network", 4026531840);
    json_decref(object);
    free(reason);
}

static void test_validation(void **state)
{
    struct link_validation validation = {
        .family = AF_INET,
        .port = 40000,
        .status = 200,
        .address = {192, 0, 2, 1},
        .local = {198, 51, 100, 7},
        .local_known = 1,
        .token = TOKEN,
        .host = "www.example.org",
        .user_agent = "a \\\"b\\\" \\\\ \\xc3",
    };

    (void)state;
    json_t *object = parse(ledger_record_validation(&stamp, &validation, 1500), "validation");
    is_text(object, "family", "IPv4");
    is_text(object, "address", "192.0.2.1");
    is_text(object, "local", "198.51.100.7");
    is_text(object, "host", "www.example.org");
    is_text(object, "user_agent", "a \\\"b\\\" \\\\ \\xc3");
    is_number(object, "port", 40000);
    is_number(object, "status", 200);
    is_number(object, "age_ms", 1500);
    json_decref(object);

    validation.family = AF_INET6;
    memcpy(validation.address, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    validation.local_known = 0;
    validation.host[0] = validation.user_agent[0] = '\0';
    object = parse(ledger_record_validation(&stamp, &validation, UINT64_MAX), "validation");
    is_text(object, "family", "IPv6");
    is_text(object, "address", "2001:db8::1");
    is_text(object, "local", NULL);
    is_text(object, "host", NULL);
    is_text(object, "user_agent", NULL);
    is_text(object, "age_ms", NULL);
    json_decref(object);

    /* The longest there can be, every byte of it to be escaped once more. */
    memset(validation.host, '\\', sizeof(validation.host) - 1);
    memset(validation.user_agent, '"', sizeof(validation.user_agent) - 1);
    object = parse(ledger_record_validation(&stamp, &validation, 0), "validation");
    assert_int_equal(strlen(json_string_value(json_object_get(object, "host"))), LINK_HOST_MAX - 1);
    json_decref(object);
}

static void test_refused(void **state)
{
    const struct ledger_stamp none = {stamp.time, "abc-1", 0};
    const struct ledger_refused refused = {1000, 77, "wicket open", "penalty"};

    (void)state;
    json_t *object = parse(ledger_record_refused(&none, &refused), "refused");
    is_text(object, "window", NULL);
    is_text(object, "why", "penalty");
    json_decref(object);
}

static void test_shut(void **state)
{
    const struct ledger_shut shut = {
        .open_ms = 1300,
        .why = "nothing is pending any more",
        .trouble = "",
        .tokens = 3,
        .validations = 9,
        .unlisted = 2,
        .addresses = 6,
        .passed = 54,
        .turned_away = 1,
        .unknown = 4,
        .unknown_address = "192.0.2.9",
        .redirected = 64,
        .arrived = 63,
    };

    (void)state;
    json_t *object = parse(ledger_record_shut(&stamp, &shut), "window-shut");
    is_number(object, "open_ms", 1300);
    is_text(object, "why", "nothing is pending any more");
    is_text(object, "trouble", NULL);
    is_number(object, "tokens", 3);
    is_number(object, "validations", 9);
    is_number(object, "unlisted", 2);
    is_number(object, "addresses", 6);
    is_number(object, "passed", 54);
    is_number(object, "turned_away", 1);
    is_number(object, "unknown_tokens", 4);
    is_text(object, "unknown_address", "192.0.2.9");
    is_number(object, "redirected", 64);
    is_number(object, "arrived", 63);
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest),  cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_opened),  cmocka_unit_test(test_validation),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_shut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
