// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "redirect/transport.h"
#include "unit.h"
#include "wicket/config.h"

struct expectation {
    struct failure failure;
    int exit_code;
    const char *text; /* the whole of it */
};

static const struct config_chain theirs = {"inet", "firewalld", "filter_INPUT"};

static const struct expectation expectations[] = {
    {{.kind = FAILURE_KERNEL, .number = EPERM, .refused = true},
     EX_NOPERM,
     "table inet wicket: Operation not permitted: wicket-keeper needs CAP_NET_ADMIN in this "
     "network namespace"},
    {{.kind = FAILURE_KERNEL, .number = EPERM, .object = {.kind = "set", .name = "ports"}},
     EX_CANTCREAT,
     "set ports of table inet wicket: Operation not permitted: the table is owned by another "
     "program"},
    {{.kind = FAILURE_KERNEL,
      .number = ENOENT,
      .object = {.kind = "chain", .name = "output", .modules = "nft_chain_nat"}},
     EX_UNAVAILABLE,
     "chain output of table inet wicket: No such file or directory: the kernel lacks nftables "
     "support for it (modules nft_chain_nat)"},
    {{.kind = FAILURE_KERNEL, .number = EOPNOTSUPP, .refused = true},
     EX_UNAVAILABLE,
     "table inet wicket: Operation not supported: the kernel lacks nftables (module "
     "nf_tables)"},
    {{.kind = FAILURE_KERNEL, .number = ENOENT, .object = {.kind = "set", .name = "ports"}},
     EX_UNAVAILABLE,
     "set ports of table inet wicket: No such file or directory: somebody deleted it"},
    {{.kind = FAILURE_KERNEL, .number = EEXIST, .object = {.kind = "table"}},
     EX_CANTCREAT,
     "table inet wicket: File exists: somebody else creates it"},
    {{.kind = FAILURE_KERNEL, .number = ENOMEM, .object = {.kind = "set", .name = "ports"}},
     EX_TEMPFAIL,
     "set ports of table inet wicket: Cannot allocate memory: try again"},
    {{.kind = FAILURE_KERNEL,
      .number = ERANGE,
      .object = {.kind = "rule of chain", .name = "input"},
      .text = "out of bounds"},
     EX_OSERR,
     "rule of chain input of table inet wicket: Numerical result out of range (out of bounds)"},
    {{.kind = FAILURE_SYSTEM, .number = EIO, .call = "receive"},
     EX_OSERR,
     "table inet wicket: netlink receive: Input/output error"},
    {{.kind = FAILURE_SYSTEM, .number = EMSGSIZE, .call = "send"},
     EX_UNAVAILABLE,
     "table inet wicket: netlink send: Message too long: the ruleset is too large for the "
     "socket's send buffer: give fewer redirect.sources, or raise net.core.wmem_max"},
    {{.kind = FAILURE_KERNEL,
      .number = EPERM,
      .object = {.kind = "rule of chain", .admits = &theirs}},
     EX_CONFIG,
     "redirect.admit: chain inet firewalld filter_INPUT: Operation not permitted: the table "
     "belongs "
     "to another program, which alone may change it: leave the chain out, and let that program let "
     "in what has \"ct status dnat\" (README, \"Behind a firewall\")"},
    {{.kind = FAILURE_KERNEL, .number = ENOMEM, .query = true, .object = {.admits = &theirs}},
     EX_TEMPFAIL,
     "redirect.admit: chain inet firewalld filter_INPUT: Cannot allocate memory: try again"},
    {{.kind = FAILURE_TOLD, .told = {.exit_code = EX_CONFIG, .text = "no such chain"}},
     EX_CONFIG,
     "no such chain"},
    {{.kind = FAILURE_TIMEOUT},
     EX_TEMPFAIL,
     "table inet wicket: no answer from the kernel within 1000 ms: try again"},
    {{.kind = FAILURE_LOST},
     EX_TEMPFAIL,
     "table inet wicket: the kernel's answers were lost (no buffer space): try again"},
    {{.kind = FAILURE_MEMORY}, EX_TEMPFAIL, "table inet wicket: out of memory: try again"},
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++) {
        struct error error;

        assert_int_equal(failure_explain(&expectations[i].failure, &error), -1);
        assert_string_equal(error.text, expectations[i].text);
        assert_int_equal(error.exit_code, expectations[i].exit_code);
    }
}

static void test_nobody_listens(void **state)
{
    (void)state;
    assert_int_equal(failure_explain(&expectations[0].failure, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_nobody_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
