// SPDX-License-Identifier: GPL-2.0-or-later
/* The table in a real kernel: that it is what the text says, whose it is, and how it goes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lab.h"
#include "sample.h"
#include "unit.h"

#define LIST "nft -s list table inet wicket"

static struct redirect *create(const struct config *config, bool without_owner)
{
    struct redirect *redirect = NULL;
    struct error error;

    if (redirect_create(&redirect, config, without_owner, &error) < 0)
        fail_msg("%s", error.text);
    return redirect;
}

static void must(int outcome, const struct error *error)
{
    if (outcome < 0)
        fail_msg("%d: %s", error->exit_code, error->text);
}

static struct redirect *install(const struct config *config, bool without_owner)
{
    struct redirect *redirect = create(config, without_owner);
    struct error error;

    must(redirect_install(redirect, &error), &error);
    return redirect;
}

static bool table_exists(void)
{
    return lab_shell(LIST " > /dev/null 2>&1");
}

/* Cuts `count` bytes, or up to the end of the line, from the first `what` on. */
static void cut(char *text, const char *what, size_t count)
{
    char *at = strstr(text, what);

    if (!at)
        return;
    char *rest = count > 0 ? at + count : at + strcspn(at, "\n");
    memmove(at, rest, strlen(rest) + 1);
}

/* The installed table as nft lists it, less what may differ: the name and the owner. */
static char *list(const char *table)
{
    char command[64];
    char *text;

    snprintf(command, sizeof(command), "nft -s list table inet %s", table);
    text = lab_output(command);
    cut(text, table, strlen(table));
    cut(text, " # progname", 0);
    cut(text, "\tflags owner\n\n", strlen("\tflags owner\n\n"));
    return text;
}

/* Its rules as the expressions that the kernel runs. */
static char *list_expressions(const char *table)
{
    char command[192];

    snprintf(command, sizeof(command),
             "nft --debug=netlink list table inet %s | sed -nE '/^  \\[/p; s/^inet %s ([a-z]+) .*"
             "/\\1/p'",
             table, table);
    return lab_output(command);
}

static void load_text(const struct config *config, bool lease)
{
    struct error error;
    FILE *stream = popen("nft -f -", "we"); // NOLINT(cert-env33-c): a constant

    assert_non_null(stream);
    must(redirect_write_text(stream, config, "other", false, lease, &error), &error);
    assert_int_equal(pclose(stream), 0);
}

static void test_is_what_the_text_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sample_count; i++)
        for (int lease = 0; lease < 2; lease++) {
            struct config config;
            struct error error;

            sample_config(&config, &samples[i]);
            config.window.lease_ms = 60000;
            struct redirect *redirect = install(&config, false);
            assert_true(redirect_is_owned(redirect));
            if (lease)
                must(redirect_arm(redirect, &error), &error);
            load_text(&config, lease);
            char *installed = list("wicket");
            char *loaded = list("other");
            assert_string_equal(installed, loaded);
            assert_true((strstr(installed, "80 timeout 1m") != NULL) == lease);
            free(installed);
            free(loaded);
            installed = list_expressions("wicket");
            loaded = list_expressions("other");
            assert_non_null(strstr(installed, config.redirect.method == CONFIG_METHOD_TPROXY
                                                  ? "\n  [ tproxy "
                                                  : "\n  [ redir proto_min reg 1"));
            assert_string_equal(installed, loaded);
            free(installed);
            free(loaded);
            assert_true(lab_shell("nft delete table inet other"));
            redirect_destroy(redirect);
            sample_free(&config);
        }
}

/* Whoever saves the host's whole ruleset while the table is there can load it again: nft takes what
 * it lists. */
static void test_listing_can_be_loaded(void **state)
{
    (void)state;
    for (size_t i = 0; i < sample_count; i++) {
        struct config config;

        sample_config(&config, &samples[i]);
        struct redirect *redirect = install(&config, false);
        assert_true(lab_shell(LIST " | unshare -n nft -c -f -"));
        redirect_destroy(redirect);
        sample_free(&config);
    }
}

static void test_goes_with_its_socket(void **state)
{
    struct config config;

    (void)state;
    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    assert_true(table_exists());
    redirect_destroy(redirect);
    assert_false(table_exists());
}

static void test_goes_though_a_child_lives(void **state)
{
    struct config config;
    int input[2], output[2];
    char byte;

    (void)state;
    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    assert_int_equal(pipe(input), 0);
    assert_int_equal(pipe(output), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(input[0], 0);
        dup2(output[1], 1);
        close(input[1]);
        execlp("sh", "sh", "-c", "echo; read line", (char *)NULL);
        _exit(127);
    }
    assert_true(child > 0);
    assert_int_equal(read(output[0], &byte, 1), 1); /* it has been executed */
    redirect_destroy(redirect);
    assert_false(table_exists());
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0); /* and lives still */
    for (int i = 0; i < 2; i++) {
        close(input[i]);
        close(output[i]);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_others_cannot_touch_it(void **state)
{
    struct config config;

    (void)state;
    sample_defaults(&config);
    struct redirect *redirect = install(&config, false);
    assert_true(lab_shell("nft add table inet another && nft flush ruleset"));
    assert_false(lab_shell("nft list table inet another > /dev/null 2>&1"));
    assert_true(table_exists());
    assert_false(lab_shell("nft delete table inet wicket 2> /dev/null"));
    assert_false(lab_shell("nft flush set inet wicket ports 2> /dev/null"));
    assert_true(table_exists());
    redirect_destroy(redirect);
}

static void test_remove(void **state)
{
    struct config config;
    struct error error;

    (void)state;
    sample_defaults(&config);
    for (int without_owner = 0; without_owner < 2; without_owner++) {
        struct redirect *redirect = create(&config, without_owner);

        must(redirect_remove(redirect, &error), &error);
        must(redirect_install(redirect, &error), &error);
        must(redirect_arm(redirect, &error), &error);
        must(redirect_remove(redirect, &error), &error);
        assert_false(table_exists());
        must(redirect_remove(redirect, &error), &error);
        must(redirect_install(redirect, &error), &error);
        assert_true(table_exists());
        must(redirect_remove(redirect, &error), &error);
        redirect_destroy(redirect);
    }
}

static void test_installs_over_itself(void **state)
{
    struct config config;
    struct error error;

    (void)state;
    sample_defaults(&config);
    for (int without_owner = 0; without_owner < 2; without_owner++) {
        struct redirect *redirect = install(&config, without_owner);
        char *before = list("wicket");

        must(redirect_arm(redirect, &error), &error);
        must(redirect_install(redirect, &error), &error);
        char *after = list("wicket");
        assert_string_equal(before, after); /* no rule twice, no lease */
        free(before);
        free(after);
        must(redirect_remove(redirect, &error), &error);
        redirect_destroy(redirect);
    }
}

static void test_without_owner(void **state)
{
    struct config config;
    struct error error;

    (void)state;
    sample_defaults(&config);
    struct redirect *redirect = install(&config, true);
    assert_false(redirect_is_owned(redirect));
    must(redirect_arm(redirect, &error), &error);
    must(redirect_shut(redirect, &error), &error);
    redirect_destroy(redirect);
    assert_true(table_exists());
}

static void test_leftover_is_replaced(void **state)
{
    struct config config;

    (void)state;
    sample_defaults(&config);
    assert_true(lab_shell("nft 'table inet wicket { set ports { type ipv4_addr; }; chain stale { "
                          "type filter hook input priority 0; drop; }; }'"));
    struct redirect *redirect = install(&config, false);
    assert_true(redirect_is_owned(redirect));
    char *text = lab_output(LIST);
    assert_null(strstr(text, "stale"));
    assert_non_null(strstr(text, "flags owner"));
    free(text);
    redirect_destroy(redirect);
    assert_false(table_exists());
}

static void test_owned_by_another(void **state)
{
    struct config config;
    struct error error;

    (void)state;
    sample_defaults(&config);
    struct redirect *first = install(&config, false);
    struct redirect *second = create(&config, false);
    assert_int_equal(redirect_install(second, &error), -1);
    assert_int_equal(error.exit_code, EX_CANTCREAT);
    assert_non_null(strstr(error.text, "table inet wicket: owned by another program"));
    assert_int_equal(redirect_arm(second, &error), -1);
    assert_int_equal(error.exit_code, EX_CANTCREAT);
    assert_non_null(strstr(error.text, "set ports of table inet wicket: Operation not permitted"));
    assert_int_equal(redirect_remove(second, &error), -1);
    assert_int_equal(error.exit_code, EX_CANTCREAT);
    must(redirect_arm(first, &error), &error);
    redirect_destroy(first);
    must(redirect_install(second, &error), &error);
    redirect_destroy(second);
}

static void test_somebody_deleted_it(void **state)
{
    struct config config;
    struct error error;
    struct redirect_counters counters;

    (void)state;
    sample_defaults(&config);
    struct redirect *redirect = install(&config, true);
    assert_true(lab_shell("nft delete table inet wicket"));
    assert_int_equal(redirect_arm(redirect, &error), -1);
    assert_int_equal(error.exit_code, EX_UNAVAILABLE);
    assert_non_null(strstr(error.text, "set ports of table inet wicket: No such file"));
    assert_int_equal(redirect_open(redirect, &error), -1);
    assert_non_null(strstr(error.text, "set ports of table inet wicket: No such file"));
    must(redirect_shut(redirect, &error), &error);
    assert_int_equal(redirect_read_counters(redirect, &counters, &error), -1);
    assert_int_equal(error.exit_code, EX_UNAVAILABLE);
    assert_non_null(strstr(error.text, "table inet wicket: No such file"));
    assert_int_equal(redirect_read_connections(redirect, &counters, &error), -1);
    assert_non_null(strstr(error.text, "table inet wicket: No such file"));
    must(redirect_install(redirect, &error), &error);
    must(redirect_arm(redirect, &error), &error);
    redirect_destroy(redirect);
}

/* In a child: what redirect_install says without CAP_NET_ADMIN. */
static int install_without_capability(void)
{
    struct config config;
    struct redirect *redirect;
    struct error error = {.exit_code = EX_SOFTWARE};
    cap_t none = cap_init();

    if (!none || cap_set_proc(none) < 0)
        return EX_OSERR;
    cap_free(none);
    sample_defaults(&config);
    if (redirect_create(&redirect, &config, false, &error) < 0)
        return error.exit_code;
    redirect_install(redirect, &error);
    redirect_destroy(redirect);
    return strstr(error.text, "CAP_NET_ADMIN") ? error.exit_code : EX_SOFTWARE;
}

static void test_no_capability(void **state)
{
    int status;
    pid_t child = fork();

    (void)state;
    if (child == 0)
        _exit(install_without_capability());
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EX_NOPERM);
}

#define ARMS 10000

static void test_arming_is_cheap(void **state)
{
    struct config config;
    struct error error;

    (void)state;
    sample_defaults(&config);
    int64_t begin_ns = lab_now_ns();
    struct redirect *redirect = install(&config, false);
    int64_t installed_ns = lab_now_ns();
    for (int i = 0; i < ARMS; i++)
        must(redirect_arm(redirect, &error), &error);
    int64_t armed_ns = lab_now_ns();
    print_message("create and install %.1f us, arm %.2f us\n",
                  (double)(installed_ns - begin_ns) / 1000,
                  (double)(armed_ns - installed_ns) / ARMS / 1000);
    assert_true((armed_ns - installed_ns) / ARMS < 300000);
    redirect_destroy(redirect);
}

#define LAB_TEST(test) cmocka_unit_test_setup_teardown(test, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_is_what_the_text_says),  LAB_TEST(test_listing_can_be_loaded),
        LAB_TEST(test_goes_with_its_socket),   LAB_TEST(test_goes_though_a_child_lives),
        LAB_TEST(test_others_cannot_touch_it), LAB_TEST(test_remove),
        LAB_TEST(test_installs_over_itself),   LAB_TEST(test_without_owner),
        LAB_TEST(test_leftover_is_replaced),   LAB_TEST(test_owned_by_another),
        LAB_TEST(test_somebody_deleted_it),    LAB_TEST(test_no_capability),
        LAB_TEST(test_arming_is_cheap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
