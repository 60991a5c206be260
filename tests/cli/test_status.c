// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/status_text.h"

/* The text of a document; freed by the caller. NULL: refused. */
static char *render(const char *json, size_t length, struct error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    const int result = status_text_write(out, json, length, error);
    fclose(out);
    if (result < 0) {
        assert_int_equal(size, 0);
        free(text);
        return NULL;
    }
    return text;
}

static void check(const char *json, const char *expected)
{
    struct error error = {0};
    char *text = render(json, strlen(json), &error);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

#define COUNTERS_WHILE(passing)                                                    \
    "\"counters\":{\"windows\":3,\"tokens\":5,\"validations\":12,\"addresses\":5," \
    "\"passed\":38,\"passing\":" passing                                           \
    ",\"turned_away\":41,\"redirected\":60,\"arrived\":59,\"guarded\":2}"
#define COUNTERS    COUNTERS_WHILE("0")
#define ONE_PASSING COUNTERS_WHILE("1")
#define TWO_PASSING COUNTERS_WHILE("2")

static void test_nothing_runs(void **state)
{
    (void)state;
    check("{\"version\":1,\"running\":false}",
          "SHUT: no keeper runs; port 80 is with production\n");
}

static void test_armed(void **state)
{
    (void)state;
    check("{\"version\":1,\"running\":true,\"pid\":7,\"mode\":\"full\",\"config\":\"/e/w.yaml\","
          "\"state\":\"armed\",\"owned_table\":true,\"responder\":\"ready\",\"trouble\":null,"
          "\"window\":null,\"reasons\":[],\"runs\":1," COUNTERS
          ",\"validators\":[],\"last_shut\":null}",
          "SHUT: port 80 is with production\n"
          "1 wicket run is alive\n"
          "keeper pid 7, full mode, configuration /e/w.yaml; responder ready\n"
          "so far: windows 3, tokens 5, validations 12 from addresses 5, visitors passed to "
          "production 38, other requests turned away 41\n"
          "kernel: connections redirected 60, let through by this host's filter 59, sent directly "
          "to the responder and dropped 2\n");
}

static void test_open_with_everything(void **state)
{
    (void)state;
    check("{\"version\":1,\"running\":true,\"pid\":7,\"mode\":\"sidecar\",\"method\":\"tproxy\","
          "\"config\":\"/e/w.yaml\","
          "\"state\":\"open\",\"owned_table\":false,\"responder\":\"ready\","
          "\"trouble\":\"redirected connections do not arrive\","
          "\"window\":{\"open_ms\":12000,\"limit_in_ms\":3588000,\"lease_ms\":5000,"
          "\"lease_left_ms\":0,\"redirected\":false,\"counters\":{\"tokens\":2,\"validations\":3,"
          "\"passed\":1,\"turned_away\":4,\"redirected\":7,\"arrived\":6}},"
          "\"reasons\":[{\"kind\":\"token\",\"token\":\"abc\",\"uid\":0,\"pid\":9,"
          "\"purpose\":\"certbot hook for example.org\",\"count\":2,\"ends_in_ms\":600000},"
          "{\"kind\":\"open\",\"uid\":1000,\"pid\":10,\"purpose\":\"wicket open\",\"count\":1,"
          "\"ends_in_ms\":null}],\"runs\":2," TWO_PASSING
          ",\"validators\":[{\"address\":\"2001:db8::1\",\"validations\":4}],"
          "\"last_shut\":{\"reason\":\"no reason left\",\"ago_ms\":60000}}",
          "OPEN for 12 s; shuts in 59 min 48 s at the latest\n"
          "HELD: port 80 is with production all the same\n"
          "TROUBLE: redirected connections do not arrive\n"
          "because of\n"
          "  token abc: certbot hook for example.org (uid 0, pid 9, asked for 2 times), ends in 10 "
          "min\n"
          "  open: wicket open (uid 1000, pid 10)\n"
          "2 wicket run are alive\n"
          "this window: tokens 2, validations 3, visitors passed to production 1, other requests "
          "turned away 4, connections redirected 7, let through by this host's filter 6\n"
          "passing: 2 visitors are connected to production through the responder\n"
          "keeper pid 7, sidecar mode, tproxy, configuration /e/w.yaml; responder ready\n"
          "this kernel has no owned tables: should the keeper be killed, the lease alone ends a "
          "window\n"
          "so far: windows 3, tokens 5, validations 12 from addresses 5, visitors passed to "
          "production 38, other requests turned away 41\n"
          "kernel: connections redirected 60, let through by this host's filter 59, sent directly "
          "to the responder and dropped 2\n"
          "validators\n"
          "  2001:db8::1: 4\n"
          "last shut 1 min ago: no reason left\n");
}

/* A keeper that stays for one visitor says so. */
static void test_draining(void **state)
{
    (void)state;
    check("{\"version\":1,\"running\":true,\"pid\":7,\"mode\":\"full\",\"config\":\"/e/w.yaml\","
          "\"state\":\"draining\",\"owned_table\":true,\"responder\":\"ready\",\"trouble\":null,"
          "\"window\":null,\"reasons\":[],\"runs\":0," ONE_PASSING
          ",\"validators\":[],\"last_shut\":null}",
          "SHUT: port 80 is with production; the last connections of a window finish\n"
          "passing: 1 visitor is connected to production through the responder\n"
          "keeper pid 7, full mode, configuration /e/w.yaml; responder ready\n"
          "so far: windows 3, tokens 5, validations 12 from addresses 5, visitors passed to "
          "production 38, other requests turned away 41\n"
          "kernel: connections redirected 60, let through by this host's filter 59, sent directly "
          "to the responder and dropped 2\n");
}

static void test_lease(void **state)
{
    (void)state;
    static const char json[] = "{\"version\":1,\"running\":true,\"state\":\"open\",\"window\":{"
                               "\"redirected\":true,\"lease_left_ms\":4000},\"stateless\":true}";
    struct error error = {0};
    char *text = render(json, sizeof json - 1, &error);
    assert_non_null(text);
    assert_non_null(strstr(text, "\nlease: the kernel gives port 80 back in 4 s unless"));
    assert_non_null(strstr(text, "\nstateless: "));
    free(text);
}

static void check_summary(const char *json, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    struct error error = {0};
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(status_text_summary(out, json, strlen(json), &error), 0);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void test_summary(void **state)
{
    (void)state;
    check_summary("{\"version\":1,\"running\":false}",
                  "SHUT: no keeper runs; port 80 is with production\n");
    check_summary("{\"version\":1,\"running\":true,\"state\":\"armed\",\"window\":null}",
                  "SHUT: armed\n");
    check_summary(
        "{\"version\":1,\"running\":true,\"state\":\"open\",\"window\":{\"redirected\":true,"
        "\"open_ms\":5},\"reasons\":[{\"kind\":\"token\",\"token\":\"abc\",\"uid\":1,\"pid\":2,"
        "\"purpose\":\"a\\nb\"},{\"kind\":\"open\",\"uid\":0,\"pid\":3,\"purpose\":\"wicket "
        "open\"}]}",
        "OPEN: token abc (a\\x0ab, uid 1, pid 2), open (wicket open, uid 0, pid 3)\n");
    check_summary(
        "{\"version\":1,\"running\":true,\"state\":\"open\",\"window\":{\"redirected\":false},"
        "\"trouble\":\"no room\"}",
        "HELD; TROUBLE: no room\n");
    struct error error = {0};
    assert_int_equal(status_text_summary(stdout, "{", 1, &error), -1);
    assert_int_equal(error.exit_code, EX_SOFTWARE);
}

/* Whatever a string holds, the terminal sees printable ASCII and the line keeps its place. */
static void test_hostile_strings(void **state)
{
    (void)state;
    static const char json[] =
        "{\"version\":1,\"running\":true,\"state\":\"open\\u001b[2J\",\"mode\":\"\\n\","
        "\"trouble\":\"a\\nSHUT: port 80\\u0000\\u009b31m\\u202e\","
        "\"config\":\"\\u00e9\",\"reasons\":[{\"kind\":\"\\r\",\"token\":\"\\u001b]0;x\\u0007\","
        "\"purpose\":\"\\u0008\\u007f\"},7,null,[]],"
        "\"validators\":[{\"address\":\"\\u001b[A\",\"validations\":-3},{}],"
        "\"last_shut\":{\"reason\":\"\\u001b\"}}";
    struct error error = {0};
    char *text = render(json, sizeof json - 1, &error);
    assert_non_null(text);
    for (const char *at = text; *at != '\0'; at++)
        assert_true(*at == '\n' || (*at >= ' ' && *at <= '~'));
    assert_null(strstr(text, "\nSHUT"));
    assert_non_null(strstr(text, "TROUBLE: a\\x0aSHUT: port 80\\x00"));
    assert_non_null(strstr(text, "  \\x1b[A: 0\n"));
    free(text);
}

static void test_long_strings_are_cut(void **state)
{
    (void)state;
    char json[6000];
    char filler[5000];
    memset(filler, 'a', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    snprintf(json, sizeof json,
             "{\"version\":1,\"running\":true,\"state\":\"armed\","
             "\"trouble\":\"%s\"}",
             filler);
    struct error error = {0};
    char *text = render(json, strlen(json), &error);
    assert_non_null(text);
    assert_non_null(strstr(text, "aaa...\n"));
    assert_true(strlen(text) < 2000);
    free(text);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "",
        "{",
        "[]",
        "7",
        "null",
        "{\"version\":2,\"running\":true}",
        "{\"running\":true}",
        "{\"version\":\"1\",\"running\":true}",
        "{\"version\":1,\"running\":true,\"running\":false}",
    };
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        struct error error = {0};
        assert_null(render(documents[i], strlen(documents[i]), &error));
        assert_int_equal(error.exit_code, EX_SOFTWARE);
        assert_true(error.text[0] != '\0');
    }
}

static void test_scope(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
    } rows[] = {
        {"\"admitted\":[\"inet filter input\",7,\"ip \\u001b INPUT\"],\"sources\":null",
         "admitted: this host's chain inet filter input lets in what is redirected\n"},
        {"\"admitted\":[\"inet filter input\",7,\"ip \\u001b INPUT\"]",
         "chain ip \\x1b INPUT lets"},
        {"\"overruled\":\"rule 12 of chain inet filter services\"",
         "TROUBLE: that overrules rule 12 of chain inet filter services: whoever it bans reaches "
         "the responder\n"},
        {"\"sources\":{\"count\":1,\"file\":null,\"refused\":null}",
         "sources: only connections from 1 network are redirected\n"},
        {"\"sources\":{\"count\":0,\"file\":\"/etc/list\",\"refused\":\"/etc/list:3: bad\"}",
         "sources: none: nobody is redirected; file /etc/list\n"
         "TROUBLE: the sources before stay in force: /etc/list:3: bad\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error error = {0};
        char json[512];
        snprintf(json, sizeof json, "{\"version\":1,\"running\":true,\"state\":\"armed\",%s}",
                 rows[i].json);
        char *text = render(json, strlen(json), &error);
        assert_non_null(text);
        if (strstr(text, rows[i].text) == NULL) {
            fail_msg("\"%s\" was to be in: %s", rows[i].text, text);
        }
        free(text);
    }
}

static void test_token_among_the_reasons(void **state)
{
    (void)state;
    static const char json[] = "{\"reasons\":[{\"kind\":\"open\"},7,{\"token\":\"abc\"}]}";
    assert_true(status_text_has_token(json, sizeof json - 1, "abc"));
    assert_false(status_text_has_token(json, sizeof json - 1, "ab"));
    assert_false(status_text_has_token(json, sizeof json - 2, "abc"));
    assert_false(status_text_has_token("{}", 2, "abc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_runs),
        cmocka_unit_test(test_armed),
        cmocka_unit_test(test_open_with_everything),
        cmocka_unit_test(test_draining),
        cmocka_unit_test(test_lease),
        cmocka_unit_test(test_summary),
        cmocka_unit_test(test_hostile_strings),
        cmocka_unit_test(test_long_strings_are_cut),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_scope),
        cmocka_unit_test(test_token_among_the_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
