// SPDX-License-Identifier: GPL-2.0-or-later
/* What redirect.c makes of the kernel's answers, with the transport replaced (--wrap): kernels and
 * moments that a test machine does not have. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <libmnl/libmnl.h>
#include <libnftnl/table.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "redirect/redirect.h"
#include "redirect/ruleset.h"
#include "redirect/ruleset_netlink.h"
#include "redirect/transport.h"
#include "sample.h"
#include "unit.h"

#define PORT 4711

/* One batch, and what becomes of it. */
struct step {
    const char *kind;   /* of the object that failed */
    const char *name;   /* NULL: the table */
    int number;         /* errno, 0: done */
    uint32_t owner;     /* of the leftover, 0: nobody */
    bool leftover;      /* what the query before it is told: there is a table */
    bool refused;       /* the batch as a whole */
    bool expect_owner;  /* the table is asked to be owned */
    bool expect_delete; /* and the leftover deleted */
};

/* State of this file, since --wrap leaves no other way. */
static struct {
    const struct step *steps;
    size_t count, next;
    size_t queries;
    size_t forgets; /* messages about who is missing */
} kernel;

int __wrap_transport_init(struct transport *transport, struct error *error);
void __wrap_transport_deinit(struct transport *transport);
int __wrap_transport_run(struct transport *transport, struct batch *batch, struct failure *failure);
int __wrap_transport_query(struct transport *transport, struct batch *batch, transport_data *data,
                           void *context, struct failure *failure);

int __wrap_transport_init(struct transport *transport, struct error *error)
{
    (void)error;
    *transport = (struct transport){.changes.port = PORT};
    return 0;
}

void __wrap_transport_deinit(struct transport *transport)
{
    (void)transport;
}

static bool asks_for_owner(const struct nlmsghdr *header)
{
    struct nftnl_table *table = nftnl_table_alloc();
    uint32_t flags;

    assert_non_null(table);
    assert_int_equal(nftnl_table_nlmsg_parse(header, table), 0);
    flags = nftnl_table_get_u32(table, NFTNL_TABLE_FLAGS);
    nftnl_table_free(table);
    return flags == 2;
}

static void check_install(const struct batch *batch, const struct step *step)
{
    const struct nlmsghdr *header = (const void *)batch->bytes;
    int left = (int)batch->length;
    bool deletes = false;

    for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
        if (header->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE))
            deletes = true;
        if (header->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE))
            continue;
        assert_int_equal(asks_for_owner(header), step->expect_owner);
        assert_int_equal(deletes, step->expect_delete);
    }
}

int __wrap_transport_run(struct transport *transport, struct batch *batch, struct failure *failure)
{
    (void)transport;
    assert_true(kernel.next < kernel.count);
    const struct step *step = &kernel.steps[kernel.next++];

    assert_false(batch->out_of_memory);
    check_install(batch, step);
    for (size_t i = 0; i < batch->count; i++) {
        const char *name = batch->objects[i].name;
        kernel.forgets += name && (strcmp(name, RULESET_SET_MISSING4) == 0 ||
                                   strcmp(name, RULESET_SET_MISSING6) == 0);
    }
    *failure = (struct failure){.kind = step->number ? FAILURE_KERNEL : FAILURE_NONE,
                                .number = step->number,
                                .refused = step->refused,
                                .object = {.kind = step->kind, .name = step->name}};
    return step->number ? -1 : 0;
}

/* A query for the table. */
int __wrap_transport_query(struct transport *transport, struct batch *batch, transport_data *data,
                           void *context, struct failure *failure)
{
    alignas(struct nlmsghdr) uint8_t bytes[256] = {0};
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
    const struct step *step = &kernel.steps[kernel.next];

    (void)transport;
    (void)batch;
    assert_true(kernel.next < kernel.count);
    kernel.queries++;
    *failure = (struct failure){.kind = FAILURE_KERNEL, .number = ENOENT, .query = true};
    if (!step->leftover)
        return -1;
    header->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE;
    mnl_nlmsg_put_extra_header(header, sizeof(struct nfgenmsg));
    mnl_attr_put_strz(header, NFTA_TABLE_NAME, REDIRECT_TABLE);
    if (step->owner)
        mnl_attr_put_u32(header, NFTA_TABLE_OWNER, htonl(step->owner));
    data(header, context);
    return 0;
}

static struct redirect *begin(struct config *config, bool without_owner, const struct step *steps,
                              size_t count)
{
    struct redirect *redirect = NULL;

    sample_defaults(config);
    kernel.steps = steps;
    kernel.count = count;
    kernel.next = kernel.queries = kernel.forgets = 0;
    assert_int_equal(redirect_create(&redirect, config, without_owner, NULL), 0);
    return redirect;
}

#define BEGIN(config, without_owner, steps) \
    begin(config, without_owner, steps, sizeof(steps) / sizeof((steps)[0]))

/* Before 5.12 the flag is unknown, and refused with one of these. */
static void test_kernel_without_owned_tables(void **state)
{
    static const int numbers[] = {EOPNOTSUPP, EINVAL};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct step steps[] = {
            {.number = numbers[i], .kind = "table", .expect_owner = true},
            {.number = 0},
            {.leftover = true, .expect_delete = true},
        };
        struct config config;
        struct redirect *redirect = BEGIN(&config, false, steps);

        assert_int_equal(redirect_install(redirect, NULL), 0);
        assert_false(redirect_is_owned(redirect));
        assert_int_equal(redirect_install(redirect, NULL), 0); /* it has learned */
        assert_int_equal(kernel.next, 3);
        redirect_destroy(redirect);
    }
}

/* The same errors of something else are no such sign. */
/* A kernel without nft_tproxy: the error of a rule says what it lacks, and what else to do. */
static void test_modules_of_a_rule(void **state)
{
    (void)state;
    for (int tproxy = 0; tproxy < 2; tproxy++) {
        struct sample sample = {.method = tproxy ? CONFIG_METHOD_TPROXY : CONFIG_METHOD_REDIRECT};
        struct ruleset ruleset;
        struct config config;
        struct batch batch;
        size_t named = 0;

        sample_config(&config, &sample);
        assert_int_equal(ruleset_init(&ruleset, &config, NULL), 0);
        batch_init(&batch, BATCH_ATOMIC);
        ruleset_netlink_create(&batch, &ruleset, true);
        for (size_t i = 0; i < batch.count; i++) {
            const struct batch_object *object = &batch.objects[i];

            if (!object->modules || !strstr(object->modules, "nft_tproxy"))
                continue;
            assert_string_equal(object->kind, "rule of chain");
            assert_string_equal(object->name, RULESET_CHAIN_PREROUTING);
            assert_non_null(strstr(object->modules, "set redirect.method to redirect"));
            named++;
        }
        assert_int_equal(named, tproxy ? 8 : 0);
        batch_deinit(&batch);
        ruleset_deinit(&ruleset);
        sample_free(&config);
    }
}

static void test_other_refusals(void **state)
{
    static const struct step cases[][1] = {
        {{.number = EOPNOTSUPP, .kind = "chain", .name = "output", .expect_owner = true}},
        {{.number = EOPNOTSUPP, .refused = true, .expect_owner = true}},
        {{.number = EINVAL, .kind = "rule of chain", .name = "input", .expect_owner = true}},
        {{.number = EPERM, .kind = "table", .expect_owner = true}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config config;
        struct redirect *redirect = BEGIN(&config, false, cases[i]);

        assert_int_equal(redirect_install(redirect, NULL), -1);
        assert_int_equal(kernel.next, 1);
        redirect_destroy(redirect);
    }
}

static void test_table_comes_and_goes(void **state)
{
    static const struct step steps[] = {
        {.number = EEXIST, .kind = "table", .expect_owner = true},
        {.leftover = true,
         .number = ENOENT,
         .kind = "table",
         .expect_owner = true,
         .expect_delete = true},
        {.expect_owner = true},
    };
    struct config config;
    struct redirect *redirect = BEGIN(&config, false, steps);

    (void)state;
    assert_int_equal(redirect_install(redirect, NULL), 0);
    assert_true(redirect_is_owned(redirect));
    assert_int_equal(kernel.queries, 3);
    redirect_destroy(redirect);
}

static void test_table_never_settles(void **state)
{
    static const struct step steps[] = {
        {.number = EEXIST, .kind = "table", .expect_owner = true},
        {.number = EEXIST, .kind = "table", .expect_owner = true},
        {.number = EEXIST, .kind = "table", .expect_owner = true},
        {.number = EEXIST, .kind = "table", .expect_owner = true},
    };
    struct config config;
    struct error error;
    struct redirect *redirect = BEGIN(&config, false, steps);

    (void)state;
    assert_int_equal(redirect_install(redirect, &error), -1);
    assert_int_equal(error.exit_code, EX_CANTCREAT);
    redirect_destroy(redirect);
}

static void test_owners(void **state)
{
    static const struct step ours[] = {
        {.leftover = true, .owner = PORT, .expect_owner = true, .expect_delete = true}};
    static const struct step theirs[] = {{.leftover = true, .owner = PORT + 1}};
    struct config config;
    struct error error;
    struct redirect *redirect = BEGIN(&config, false, ours);

    (void)state;
    assert_int_equal(redirect_install(redirect, &error), 0);
    redirect_destroy(redirect);
    redirect = BEGIN(&config, false, theirs);
    assert_int_equal(redirect_install(redirect, &error), -1);
    assert_int_equal(error.exit_code, EX_CANTCREAT);
    assert_non_null(strstr(error.text, "netlink port 4712"));
    assert_int_equal(kernel.next, 0); /* it was not even tried */
    redirect_destroy(redirect);
}

static void test_what_is_gone_already(void **state)
{
    static const struct step steps[] = {
        {.number = ENOENT, .kind = "set", .name = "ports"},
        {.number = ENOENT, .kind = "table"},
        {.number = ENOENT, .refused = true}, /* no such thing as nftables: not the same */
        {.number = ENOENT, .kind = "set", .name = "ports"},
    };
    struct config config;
    struct error error;
    struct redirect *redirect = BEGIN(&config, false, steps);

    (void)state;
    assert_int_equal(redirect_shut(redirect, &error), 0);
    assert_int_equal(redirect_remove(redirect, &error), 0);
    assert_int_equal(redirect_remove(redirect, &error), -1);
    assert_int_equal(redirect_arm(redirect, &error), -1);
    redirect_destroy(redirect);
}

/* Who is missing is forgotten once in a window, in the very batch that opens it. */
static void test_first_lease(void **state)
{
    static const struct step steps[] = {{.number = 0}, {.number = 0}};
    struct config config;
    struct error error;
    struct redirect *redirect = BEGIN(&config, false, steps);

    (void)state;
    assert_int_equal(redirect_open(redirect, &error), 0);
    assert_int_equal(kernel.forgets, REDIRECT_FAMILIES);
    assert_int_equal(redirect_arm(redirect, &error), 0);
    assert_int_equal(kernel.forgets, REDIRECT_FAMILIES);
    assert_int_equal(kernel.next, 2);
    assert_int_equal(kernel.queries, 0);
    redirect_destroy(redirect);
}

/* Whether the caller is told that it was wrong about its relays, and not that the table is bad. */
static void test_relays_at_odds(void **state)
{
    static const struct {
        struct step step;
        bool adds, removes;
        int exit_code;
    } cases[] = {
        {{.number = EEXIST, .kind = "map", .name = "relay4"}, true, false, EX_DATAERR},
        {{.number = ENOENT, .kind = "map", .name = "relay4"}, false, true, EX_DATAERR},
        {{.number = ENOENT, .kind = "map", .name = "relay4"}, true, true, EX_DATAERR},
        {{.number = ENOENT, .kind = "map", .name = "relay4"}, true, false, EX_UNAVAILABLE},
        {{.number = ENOENT, .refused = true}, false, true, EX_UNAVAILABLE},
        {{.number = EPERM, .kind = "map", .name = "relay4"}, true, true, EX_CANTCREAT},
        {{.number = ENOMEM, .kind = "map", .name = "relay4"}, true, false, EX_TEMPFAIL},
    };
    const struct redirect_relay relay = {.family = AF_INET, .port = 40000};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config config;
        struct error error;
        struct redirect *redirect = begin(&config, false, &cases[i].step, 1);

        assert_int_equal(
            redirect_relay(redirect, &relay, cases[i].adds, &relay, cases[i].removes, &error), -1);
        assert_int_equal(error.exit_code, cases[i].exit_code);
        assert_int_equal(redirect_relay(redirect, &relay, 0, NULL, 0, &error), 0);
        assert_int_equal(kernel.next, 1); /* nothing to do, nobody asked */
        redirect_destroy(redirect);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_without_owned_tables),
        cmocka_unit_test(test_other_refusals),
        cmocka_unit_test(test_modules_of_a_rule),
        cmocka_unit_test(test_table_comes_and_goes),
        cmocka_unit_test(test_table_never_settles),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_what_is_gone_already),
        cmocka_unit_test(test_first_lease),
        cmocka_unit_test(test_relays_at_odds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
