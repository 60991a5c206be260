// SPDX-License-Identifier: GPL-2.0-or-later
/* Admissions in chains of the host's own, in a real kernel: where they stand, when they come and
 * go, and what others do to them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lab.h"
#include "sample.h"
#include "unit.h"

#define COMMENT "acme-wicket admission"

static void must(int outcome, const struct error *error)
{
    if (outcome < 0)
        fail_msg("%d: %s", error->exit_code, error->text);
}

static struct redirect *install(const struct config *config)
{
    struct redirect *redirect = NULL;
    struct error error;

    must(redirect_create(&redirect, config, false, &error), &error);
    must(redirect_install(redirect, &error), &error);
    return redirect;
}

static void sample_admit(struct config *config, struct config_chain *chain, size_t count)
{
    sample_defaults(config);
    config->redirect.admit = chain;
    config->redirect.admit_count = count;
    config->other_requests = CONFIG_OTHER_NOT_FOUND;
}

static struct config_chain input = {"inet", "filter", "input"};

/* Loads what nft(8) takes. */
static void load(const char *text)
{
    char path[] = "/tmp/wicket-admit-XXXXXX";
    char command[64];
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    snprintf(command, sizeof(command), "nft -f %s", path);
    bool loaded = lab_shell(command);
    unlink(path);
    if (!loaded)
        fail_msg("nft does not take: %s", text);
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;

    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        count++;
    return count;
}

/* The line behind the one admission that there must be. */
static void assert_stands_before(const char *listing, const char *expected)
{
    const char *line = strstr(listing, COMMENT);

    if (occurrences(listing, COMMENT) != 1)
        fail_msg("one admission was to be in: %s", listing);
    line = strchr(line, '\n') + 1;
    size_t length = strcspn(line, "\n");
    if (!memmem(line, length, expected, strlen(expected)))
        fail_msg("before \"%s\" was to be the admission in: %s", expected, listing);
}

static const char *const places[] = {
    /* the head, where nothing is to stay before it */
    "policy drop; tcp dport 80 accept comment \"HERE\"",
    "policy drop; ct state established,related accept; iif lo accept; tcp dport 80 accept comment "
    "\"HERE\"",
    /* at the end, before the policy */
    "policy drop; ct state established,related accept; iif lo accept; tcp dport 22 accept",
    "policy drop;",
    /* bans, before and behind other rules */
    "ip saddr 192.0.2.7 drop; tcp dport 80 accept comment \"HERE\"; drop",
    "ct state established accept; ct state invalid drop; ip saddr 192.0.2.7 drop; ip6 saddr "
    "2001:db8::/32 reject; tcp dport 80 accept comment \"HERE\"; drop",
    "ct state vmap { established : accept, related : accept, invalid : drop }; ip saddr @banned "
    "drop; tcp dport { 22, 80-90 } accept comment \"HERE\"; drop",
    "ct state vmap { established : accept, new : jump later }; ip saddr @banned drop; drop comment "
    "\"HERE\"",
    "tcp flags & (fin|syn|rst|ack) != syn ct state new drop; ip saddr vmap @fates; tcp dport 22 "
    "accept; counter; drop comment \"HERE\"",
    "ip saddr @banned jump black; meta nfproto ipv4 ip saddr 10.9.0.0/16 counter log drop; reject "
    "comment \"HERE\"",
    "jump bans; tcp dport 22 accept; tcp dport != 80 drop comment \"HERE\"; drop",
    "ether saddr 02:00:00:00:00:07 drop; fib saddr type broadcast drop; tcp dport 1-1023 accept "
    "comment \"HERE\"; drop",
    /* what drops whoever it is from, or may */
    "jump strict comment \"HERE\"; ip saddr 192.0.2.7 drop",
    "goto bans comment \"HERE\"; drop",
    "iifname wan drop comment \"HERE\"; ip saddr 192.0.2.7 drop",
    "tcp dport >= 1024 drop comment \"HERE\"; ip saddr 192.0.2.7 drop",
    "tcp dport { 80, 443 } return; limit rate over 5/second drop comment \"HERE\"; drop",
    "return comment \"HERE\"; drop",
    "meta l4proto tcp tcp dport 8000-9000 reject comment \"HERE\"",
    "meta mark set 7; tcp sport . tcp dport { 1 . 8402 } drop comment \"HERE\"; drop",
    /* not about what is redirected */
    "udp dport 8402 drop; meta l4proto { icmp, ipv6-icmp } drop; tcp dport 8403 drop; ct status & "
    "dnat "
    "== 0 drop; fib daddr type != local drop; tcp dport 80 accept comment \"HERE\"; drop",
    "ct status dnat accept comment \"HERE\"; ip saddr 192.0.2.7 drop",
};

static void test_places(void **state)
{
    struct config config;
    struct error error;

    (void)state;
    sample_admit(&config, &input, 1);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char text[2048];

        snprintf(text, sizeof(text),
                 "table inet filter {\n"
                 " set banned { type ipv4_addr; flags interval; elements = { 192.0.2.0/28 }; }\n"
                 " map fates { type ipv4_addr : verdict; elements = { 192.0.2.9 : drop }; }\n"
                 " chain black { drop; }\n"
                 " chain later { tcp dport 80 accept; return; drop; }\n"
                 " chain bans { ip saddr 192.0.2.7 drop; fib daddr type local return; drop; }\n"
                 " chain strict { tcp dport 80 accept; jump black; }\n"
                 " chain input { type filter hook input priority 0; %s; }\n"
                 "}\n",
                 places[i]);
        load(text);
        char *before = lab_output("nft list ruleset");
        struct redirect *redirect = install(&config);
        must(redirect_arm(redirect, &error), &error);
        char *armed = lab_output("nft list chain inet filter input");
        assert_stands_before(armed, strstr(places[i], "HERE") ? "HERE" : "}");
        free(armed);
        must(redirect_arm(redirect, &error), &error); /* again: it is there already */
        armed = lab_output("nft list chain inet filter input");
        assert_stands_before(armed, strstr(places[i], "HERE") ? "HERE" : "}");
        assert_non_null(strstr(armed, "ct status dnat tcp dport 8402 accept"));
        free(armed);
        must(redirect_shut(redirect, &error), &error);
        must(redirect_remove(redirect, &error), &error);
        redirect_destroy(redirect);
        char *after = lab_output("nft list ruleset");
        assert_string_equal(before, after);
        free(before);
        free(after);
        assert_true(lab_shell("nft delete table inet filter"));
    }
}

static void assert_refused(const struct config *config, const char *text)
{
    struct redirect *redirect = install(config);
    struct error error;

    assert_int_equal(redirect_arm(redirect, &error), -1);
    assert_int_equal(error.exit_code, EX_CONFIG);
    if (!strstr(error.text, text))
        fail_msg("\"%s\" was to be in: %s", text, error.text);
    /* Not half of it. */
    char *listing = lab_output("nft list ruleset");
    assert_null(strstr(listing, COMMENT));
    assert_null(strstr(listing, "80 timeout"));
    free(listing);
    redirect_destroy(redirect);
}

static void test_chains_that_cannot_admit(void **state)
{
    struct config_chain chains[] = {{"inet", "filter", "input"}, {"ip", "filter", "INPUT"}};
    struct config config;

    (void)state;
    load("table inet filter { chain input { type filter hook input priority 0; }\n"
         "chain other { }\n chain forward { type filter hook forward priority 0; }\n}\n");
    sample_admit(&config, chains, 2);
    assert_refused(&config, "redirect.admit: chain ip filter INPUT: there is no such chain");
    chains[1] = (struct config_chain){"inet", "filter", "other"};
    assert_refused(&config, "chain inet filter other: it is no base chain");
    chains[1] = (struct config_chain){"inet", "filter", "forward"};
    assert_refused(&config, "chain inet filter forward: it is of another hook");
    assert_true(lab_shell("nft delete table inet filter"));
}

/* nft keeps a table of its own as long as it runs. */
static void test_owned_by_another(void **state)
{
    struct config_chain chain = {"inet", "theirs", "input"};
    struct config config;

    (void)state;
    FILE *nft = popen("nft -i > /dev/null 2>&1", "we"); // NOLINT(cert-env33-c): no input in it
    assert_non_null(nft);
    fputs("add table inet theirs { flags owner; }\n"
          "add chain inet theirs input { type filter hook input priority 0; }\n",
          nft);
    fflush(nft);
    for (int64_t begin_ns = lab_now_ns();
         !lab_shell("nft list chain inet theirs input > /dev/null 2>&1");)
        assert_true(lab_now_ns() - begin_ns < 5000000000);
    sample_admit(&config, &chain, 1);
    assert_refused(&config, "chain inet theirs input: Operation not permitted: the table belongs "
                            "to another program");
    pclose(nft);
}

/* Whoever reloads the firewall takes the rule away, and it comes back. */
static void test_flushed(void **state)
{
    struct config config;
    struct error error;
    bool changed;

    (void)state;
    load(
        "table inet filter { chain input { type filter hook input priority 0; policy drop; }\n}\n");
    sample_admit(&config, &input, 1);
    struct redirect *redirect = install(&config);
    must(redirect_arm(redirect, &error), &error);
    must(redirect_admit(redirect, &changed, &error), &error);
    assert_false(changed);
    assert_true(lab_shell("nft flush chain inet filter input"));
    must(redirect_admit(redirect, &changed, &error), &error);
    assert_true(changed);
    char *listing = lab_output("nft list chain inet filter input");
    assert_stands_before(listing, "}");
    free(listing);
    /* One that comes first is left there, one behind it is not. */
    assert_true(lab_shell("nft insert rule inet filter input ip saddr 192.0.2.7 drop"));
    must(redirect_admit(redirect, &changed, &error), &error);
    assert_false(changed);
    assert_true(lab_shell("nft add rule inet filter input ip saddr 192.0.2.8 drop"));
    must(redirect_admit(redirect, &changed, &error), &error);
    assert_true(changed);
    /* With the whole table it cannot come back. */
    assert_true(lab_shell("nft delete table inet filter"));
    assert_int_equal(redirect_admit(redirect, &changed, &error), -1);
    assert_int_equal(redirect_arm(redirect, &error), -1);
    must(redirect_shut(redirect, &error), &error);
    redirect_destroy(redirect);
}

/* A keeper that is killed leaves it, harmless, and the next one takes it away. */
static void test_leftover(void **state)
{
    struct config_chain chains[] = {{"inet", "filter", "input"}, {"ip", "old", "in"}};
    struct config config;
    struct error error;
    size_t swept;

    (void)state;
    load("table inet filter { chain input { type filter hook input priority 0; \n"
         "tcp dport 8402 accept comment \"acme-wicket\"; }\n}\n"
         "table ip old { chain in { type filter hook input priority 5; }\n}\n");
    char *before = lab_output("nft list ruleset");
    sample_admit(&config, chains, 2);
    struct redirect *redirect = install(&config);
    must(redirect_arm(redirect, &error), &error);
    redirect_destroy(redirect);
    char *left = lab_output("nft list ruleset");
    assert_int_equal(occurrences(left, COMMENT), 2);
    assert_null(strstr(left, "table inet wicket"));
    free(left);
    config.redirect.admit_count = 0; /* whatever the configuration is by then */
    must(redirect_create(&redirect, &config, false, &error), &error);
    must(redirect_sweep(redirect, &swept, &error), &error);
    assert_int_equal(swept, 2);
    must(redirect_sweep(redirect, &swept, &error), &error);
    assert_int_equal(swept, 0);
    redirect_destroy(redirect);
    char *after = lab_output("nft list ruleset");
    assert_string_equal(before, after);
    free(before);
    free(after);
    assert_true(lab_shell("nft delete table inet filter; nft delete table ip old"));
}

/* A new configuration's admissions, with its table. */
static void test_replaced(void **state)
{
    struct config_chain first[] = {{"inet", "filter", "input"}, {"inet", "filter", "second"}};
    struct config_chain then[] = {{"inet", "filter", "second"}, {"inet", "filter", "third"}};
    struct config config, fresh;
    struct error error;

    (void)state;
    load("table inet filter { chain input { type filter hook input priority 0; }\n"
         "chain second { type filter hook input priority 1; }\n"
         "chain third { type filter hook input priority 2; }\n}\n");
    sample_admit(&config, first, 2);
    sample_admit(&fresh, then, 2);
    struct redirect *redirect = install(&config);
    must(redirect_arm(redirect, &error), &error);
    must(redirect_replace(redirect, &fresh, 3000, NULL, 0, &error), &error);
    char *listing = lab_output("nft list table inet filter");
    assert_int_equal(occurrences(listing, COMMENT), 2);
    assert_true(strstr(listing, COMMENT) > strstr(listing, "chain second"));
    free(listing);
    /* One that cannot be leaves all as it is. */
    config = fresh;
    struct config_chain wrong = {"inet", "filter", "nowhere"};
    sample_admit(&fresh, &wrong, 1);
    assert_int_equal(redirect_replace(redirect, &fresh, 3000, NULL, 0, &error), -1);
    assert_int_equal(error.exit_code, EX_CONFIG);
    listing = lab_output("nft list ruleset");
    assert_int_equal(occurrences(listing, COMMENT), 2);
    assert_non_null(strstr(listing, "80 timeout"));
    free(listing);
    must(redirect_shut(redirect, &error), &error);
    redirect_destroy(redirect);
    listing = lab_output("nft list ruleset");
    assert_int_equal(occurrences(listing, COMMENT), 0);
    free(listing);
    assert_true(lab_shell("nft delete table inet filter"));
}

/* Whose lease has ended by itself has its admissions still; a new table without one has none, also
 * where the new configuration does not name their chains any more. */
static void test_replaced_without_lease(void **state)
{
    struct config_chain first[] = {{"inet", "filter", "input"}, {"inet", "filter", "second"}};
    struct config config, fresh;
    struct error error;

    (void)state;
    load("table inet filter { chain input { type filter hook input priority 0; }\n"
         "chain second { type filter hook input priority 1; }\n}\n");
    sample_admit(&config, first, 2);
    sample_admit(&fresh, first, 1);
    struct redirect *redirect = install(&config);
    must(redirect_arm(redirect, &error), &error);
    char *listing = lab_output("nft list table inet filter");
    assert_int_equal(occurrences(listing, COMMENT), 2);
    free(listing);
    must(redirect_replace(redirect, &fresh, 0, NULL, 0, &error), &error);
    listing = lab_output("nft list table inet filter");
    assert_int_equal(occurrences(listing, COMMENT), 0);
    free(listing);
    redirect_destroy(redirect);
    assert_true(lab_shell("nft delete table inet filter"));
}

/* iptables goes on reading its chain, and can write it. */
static void test_iptables(void **state)
{
    static const struct config_chain both[] = {{"ip", "filter", "INPUT"},
                                               {"ip6", "filter", "INPUT"}};
    struct config_chain chains[2];
    struct config config;
    struct error error;

    (void)state;
    memcpy(chains, both, sizeof(chains));
    assert_true(lab_shell(
        "set -e; for i in iptables-nft ip6tables-nft; do $i -P INPUT DROP;"
        "$i -N f2b; $i -A f2b -m mac --mac-source 02:00:00:00:00:07 -j REJECT; $i -A f2b -j RETURN;"
        "$i -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT;"
        "$i -A INPUT -m conntrack --ctstate INVALID -j DROP;"
        "$i -A INPUT -m addrtype ! --dst-type LOCAL -j DROP;"
        "$i -A INPUT -j f2b; $i -A INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT;"
        "$i -A INPUT -j DROP; done;"
        "iptables-nft -I INPUT 4 -s 192.0.2.7 -j DROP; ip6tables-nft -I INPUT 4 -s 2001:db8::7 -j "
        "DROP"));
    sample_admit(&config, chains, 2);
    struct redirect *redirect = install(&config);
    must(redirect_arm(redirect, &error), &error);
    for (size_t i = 0; i < 2; i++) {
        char *rules = lab_output(i == 0 ? "iptables-nft -S INPUT" : "ip6tables-nft -S INPUT");
        assert_int_equal(occurrences(rules, "\n"), 9);
        const char *ours = strstr(rules, "--dport 8402 -m conntrack --ctstate DNAT");
        const char *behind =
            ours ? strstr(ours, "ACCEPT\n-A INPUT -p tcp -m multiport --dp") : NULL;

        if (!behind || !strstr(ours, COMMENT) || ours < strstr(rules, "-j f2b"))
            fail_msg("behind f2b was to be the admission in: %s", rules);
        free(rules);
    }
    assert_true(lab_shell("iptables-nft -L -n > /dev/null && "
                          "iptables-nft -C INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT && "
                          "iptables-nft -I INPUT -s 192.0.2.9 -j DROP && "
                          "iptables-nft -D INPUT -s 192.0.2.9 -j DROP && "
                          "iptables-nft-save > /dev/null && "
                          "iptables-nft-save | iptables-nft-restore && "
                          "printf '*filter\\n:INPUT DROP\\nCOMMIT\\n' | ip6tables-nft-restore"));
    bool changed;
    must(redirect_admit(redirect, &changed, &error), &error);
    assert_true(changed);
    char *rules = lab_output("ip6tables-nft -S INPUT");
    assert_non_null(strstr(rules, "8402"));
    free(rules);
    must(redirect_shut(redirect, &error), &error);
    rules = lab_output("ip6tables-nft -S INPUT");
    assert_null(strstr(rules, "8402"));
    free(rules);
    redirect_destroy(redirect);
    assert_true(lab_shell("nft flush ruleset"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_chains_that_cannot_admit),
        cmocka_unit_test(test_owned_by_another),
        cmocka_unit_test(test_flushed),
        cmocka_unit_test(test_leftover),
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_replaced_without_lease),
        cmocka_unit_test(test_iptables),
    };

    return cmocka_run_group_tests(tests, lab_setup, lab_teardown);
}
