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

#include "cli/hooks/certbot.h"

#define THUMBPRINT "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
#define TOKEN      "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"

#define DOMAIN_IS     "CERTBOT_DOMAIN=example.org"
#define TOKEN_IS      "CERTBOT_TOKEN=" TOKEN
#define VALIDATION_IS "CERTBOT_VALIDATION=" TOKEN "." THUMBPRINT

#define ENVIRONMENT(...) ((char *const *)(const char *const[]){"PATH=/bin", __VA_ARGS__, NULL})

static void test_complete(void **state)
{
    (void)state;
    struct certbot_call call;
    struct error error = {0};
    assert_int_equal(
        certbot_read_environment(&call, ENVIRONMENT(DOMAIN_IS, TOKEN_IS, VALIDATION_IS), &error),
        0);
    assert_string_equal(call.domain, "example.org");
    assert_string_equal(call.challenge.token, TOKEN);
    assert_string_equal(call.challenge.key_authorization, TOKEN "." THUMBPRINT);
    assert_null(call.auth_output);
}

static void test_missing_variables_are_named(void **state)
{
    (void)state;
    const struct {
        char *const *environment;
        const char *name;
    } rows[] = {
        {ENVIRONMENT(TOKEN_IS, VALIDATION_IS), "CERTBOT_DOMAIN is not set"},
        {ENVIRONMENT("CERTBOT_IDENTIFIER=", TOKEN_IS, VALIDATION_IS), "CERTBOT_DOMAIN is not set"},
        {ENVIRONMENT(DOMAIN_IS, VALIDATION_IS), "CERTBOT_TOKEN is not set"},
        {ENVIRONMENT(DOMAIN_IS, TOKEN_IS), "CERTBOT_VALIDATION is not set"},
        {ENVIRONMENT(DOMAIN_IS, "CERTBOT_TOKEN=", VALIDATION_IS), "CERTBOT_TOKEN is not set"},
        {ENVIRONMENT(DOMAIN_IS, "CERTBOT_TOKENS=x", VALIDATION_IS), "CERTBOT_TOKEN is not set"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct certbot_call call;
        struct error error = {0};
        assert_int_equal(certbot_read_environment(&call, rows[i].environment, &error), -1);
        assert_int_equal(error.exit_code, EX_USAGE);
        assert_non_null(strstr(error.text, rows[i].name));
    }
}

static void test_wrong_variables(void **state)
{
    (void)state;
    char *const *const rows[] = {
        ENVIRONMENT(DOMAIN_IS, "CERTBOT_TOKEN=other", VALIDATION_IS),
        ENVIRONMENT(DOMAIN_IS, TOKEN_IS, "CERTBOT_VALIDATION=" TOKEN),
        ENVIRONMENT(DOMAIN_IS, TOKEN_IS, "CERTBOT_VALIDATION=" TOKEN "." THUMBPRINT "\n"),
        ENVIRONMENT(DOMAIN_IS, "CERTBOT_TOKEN=../x", "CERTBOT_VALIDATION=../x." THUMBPRINT),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct certbot_call call;
        struct error error = {0};
        assert_int_equal(certbot_read_environment(&call, rows[i], &error), -1);
        assert_int_equal(error.exit_code, EX_DATAERR);
        assert_non_null(strstr(error.text, "CERTBOT_"));
    }
}

static enum certbot_phase guess(const char *auth_output)
{
    struct certbot_call call;
    struct error error = {0};
    char *const *environment = auth_output == NULL
                                   ? ENVIRONMENT(DOMAIN_IS, TOKEN_IS, VALIDATION_IS)
                                   : ENVIRONMENT(DOMAIN_IS, TOKEN_IS, VALIDATION_IS, auth_output);
    assert_int_equal(certbot_read_environment(&call, environment, &error), 0);
    return certbot_guess_phase(&call);
}

/* certbot leaves the variable set: what an earlier certificate's cleanup saw is not a cleanup. */
static void test_phase(void **state)
{
    (void)state;
    assert_int_equal(guess(NULL), CERTBOT_AUTH);
    assert_int_equal(guess("CERTBOT_AUTH_OUTPUT=" TOKEN), CERTBOT_CLEANUP);
    assert_int_equal(guess("CERTBOT_AUTH_OUTPUT="), CERTBOT_EITHER);
    assert_int_equal(guess("CERTBOT_AUTH_OUTPUT=anothertoken"), CERTBOT_EITHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_missing_variables_are_named),
        cmocka_unit_test(test_wrong_variables),
        cmocka_unit_test(test_phase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
