// SPDX-License-Identifier: GPL-2.0-or-later
/* Relays as elements in a real kernel: how they come and go, and what they cost. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lab.h"
#include "sample.h"
#include "unit.h"

#define LIST "nft -s list table inet wicket"

static void must(int outcome, const struct error *error)
{
    if (outcome < 0)
        fail_msg("%d: %s", error->exit_code, error->text);
}

static struct redirect *install(const struct config *config, bool without_owner)
{
    struct redirect *redirect = NULL;
    struct error error;

    must(redirect_create(&redirect, config, without_owner, &error), &error);
    must(redirect_install(redirect, &error), &error);
    return redirect;
}

static struct redirect_relay relay_make(const char *source, uint16_t port, const char *visitor)
{
    int family = strchr(source, ':') ? AF_INET6 : AF_INET;
    struct redirect_relay relay = {.family = family, .port = port};

    assert_int_equal(inet_pton(family, source, relay.source), 1);
    assert_int_equal(inet_pton(family, visitor, relay.visitor), 1);
    return relay;
}

static bool lists(const char *text)
{
    char *listing = lab_output(LIST);
    bool found = strstr(listing, text) != NULL;

    free(listing);
    return found;
}

static void test_relays_come_and_go(void **state)
{
    const struct redirect_relay relays[] = {relay_make("127.5.6.7", 40000, "198.51.100.9"),
                                            relay_make("::1", 40001, "2001:db8::9")};
    struct config config;
    struct error error;

    (void)state;
    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    char *before = lab_output(LIST);
    must(redirect_relay(redirect, NULL, 0, NULL, 0, &error), &error);
    must(redirect_relay(redirect, relays, 2, NULL, 0, &error), &error);
    assert_true(lists("elements = { 127.5.6.7 . 40000 timeout 30s : 198.51.100.9 }"));
    assert_true(lists("elements = { ::1 . 40001 timeout 30s : 2001:db8::9 }"));
    must(redirect_relay(redirect, NULL, 0, relays, 1, &error), &error);
    assert_false(lists("127.5.6.7"));
    assert_true(lists("::1 . 40001"));
    must(redirect_relay(redirect, relays, 1, relays + 1, 1, &error), &error);
    assert_true(lists("127.5.6.7"));
    assert_false(lists("::1 . 40001"));
    must(redirect_relay(redirect, NULL, 0, relays, 1, &error), &error);
    char *after = lab_output(LIST);
    assert_string_equal(before, after);
    free(before);
    free(after);
    redirect_destroy(redirect);
    assert_false(lab_shell(LIST " > /dev/null 2>&1"));
}

static void assert_at_odds(int outcome, const struct error *error, const char *text)
{
    assert_int_equal(outcome, -1);
    assert_int_equal(error->exit_code, EX_DATAERR);
    assert_non_null(strstr(error->text, text));
}

/* A batch that is at odds with the table changes nothing. */
static void test_relays_at_odds(void **state)
{
    const struct redirect_relay relays[] = {relay_make("127.5.6.7", 40000, "198.51.100.9"),
                                            relay_make("127.5.6.7", 40000, "198.51.100.8"),
                                            relay_make("127.5.6.7", 40001, "198.51.100.9")};
    struct config config;
    struct error error;

    (void)state;
    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    must(redirect_relay(redirect, relays, 1, NULL, 0, &error), &error);
    char *before = lab_output(LIST);
    assert_at_odds(redirect_relay(redirect, relays + 1, 2, NULL, 0, &error), &error,
                   "map relay4 of table inet wicket: a relay to be added is there already");
    assert_at_odds(redirect_relay(redirect, relays, 3, relays, 1, &error), &error,
                   "is there already"); /* one twice */
    assert_at_odds(redirect_relay(redirect, NULL, 0, relays, 3, &error), &error,
                   "a relay to be removed is gone already");
    assert_at_odds(redirect_relay(redirect, relays + 2, 1, relays + 2, 1, &error), &error,
                   "is gone already");
    char *after = lab_output(LIST);
    assert_string_equal(before, after);
    free(before);
    free(after);
    /* In both lists: renewed, with what the second says. */
    must(redirect_relay(redirect, relays + 1, 2, relays, 1, &error), &error);
    assert_true(lists("127.5.6.7 . 40000 timeout 30s : 198.51.100.8"));
    assert_true(lists("127.5.6.7 . 40001 timeout 30s : 198.51.100.9"));
    redirect_destroy(redirect);
}

/* What has gone by itself can be added anew, and not be removed. */
static void test_relay_expired(void **state)
{
    const struct redirect_relay relay = relay_make("127.5.6.7", 40000, "198.51.100.9");
    int64_t begin_ns = lab_now_ns();
    struct config config;
    struct error error;

    (void)state;
    sample_defaults(&config);
    struct redirect *redirect = install(&config, true);
    assert_true(lab_shell("nft 'add element inet wicket relay4 { 127.5.6.7 . 40000 timeout 200ms "
                          ": 198.51.100.9 }'"));
    while (lists("127.5.6.7"))
        assert_true(lab_now_ns() - begin_ns < 2000000000);
    assert_at_odds(redirect_relay(redirect, NULL, 0, &relay, 1, &error), &error, "is gone already");
    must(redirect_relay(redirect, &relay, 1, NULL, 0, &error), &error);
    assert_true(lists("127.5.6.7 . 40000 timeout 30s"));
    must(redirect_remove(redirect, &error), &error);
    redirect_destroy(redirect);
}

static void test_no_relays_without_the_pass(void **state)
{
    const struct redirect_relay relay = relay_make("::1", 40000, "2001:db8::9");
    struct config config;
    struct error error;

    (void)state;
    sample_defaults(&config);
    config.other_requests = CONFIG_OTHER_HTTPS;
    struct redirect *redirect = install(&config, false);
    assert_int_equal(redirect_relay(redirect, &relay, 1, NULL, 0, &error), -1);
    assert_int_equal(error.exit_code, EX_UNAVAILABLE);
    assert_non_null(strstr(error.text, "map relay6 of table inet wicket: No such file"));
    redirect_destroy(redirect);
}

#define RELAYS 256 /* in one call */
#define ROUNDS 5000

static void test_relaying_is_cheap(void **state)
{
    static struct redirect_relay relays[2][RELAYS];
    struct config config;
    struct error error;

    (void)state;
    for (uint16_t i = 0; i < RELAYS; i++)
        for (uint16_t j = 0; j < 2; j++)
            relays[j][i] =
                i % 2 ? relay_make("::1", (uint16_t)(40000 + 1000 * j + i), "fd77:1::2")
                      : relay_make("127.5.6.7", (uint16_t)(40000 + 1000 * j + i), "10.77.1.2");
    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    must(redirect_relay(redirect, relays[0], RELAYS, NULL, 0, &error), &error);
    assert_true(lists("127.5.6.7 . 40254"));
    must(redirect_relay(redirect, relays[1], RELAYS, relays[0], RELAYS, &error), &error);
    assert_false(lists("127.5.6.7 . 40254"));
    assert_true(lists("::1 . 41255"));
    must(redirect_relay(redirect, relays[0], 1, relays[1], RELAYS, &error), &error);

    int64_t begin_ns = lab_now_ns();
    for (int i = 0; i < ROUNDS; i++)
        must(redirect_relay(redirect, &relays[!(i % 2)][0], 1, &relays[i % 2][0], 1, &error),
             &error);
    int64_t relayed_ns = lab_now_ns() - begin_ns;
    print_message("one relay added and one removed %.2f us\n", (double)relayed_ns / ROUNDS / 1000);
    assert_true(relayed_ns / ROUNDS < 300000);
    redirect_destroy(redirect);
}

#define LAB_TEST(test) cmocka_unit_test_setup_teardown(test, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_relays_come_and_go), LAB_TEST(test_relays_at_odds),
        LAB_TEST(test_relay_expired),      LAB_TEST(test_no_relays_without_the_pass),
        LAB_TEST(test_relaying_is_cheap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
