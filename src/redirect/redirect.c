// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <libmnl/libmnl.h>
#include <libnftnl/table.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "redirect/admission.h"
#include "redirect/counters.h"
#include "redirect/redirect.h"
#include "redirect/redirect_admit.h"
#include "redirect/relay_netlink.h"
#include "redirect/ruleset_netlink.h"
#include "redirect/set_netlink.h"

/* What stands in the way of the table. */
struct table_state {
    bool exists;
    uint32_t owner; /* netlink port, 0: nobody */
};

int redirect_create(struct redirect **out, const struct config *config, bool without_owner,
                    struct error *error)
{
    struct redirect *redirect = calloc(1, sizeof(*redirect));

    if (!redirect)
        return error_set_errno(error, EX_TEMPFAIL, "table inet " REDIRECT_TABLE);
    redirect->config = config;
    redirect->without_owner = without_owner;
    if (ruleset_init(&redirect->ruleset, config, error) < 0 ||
        transport_init(&redirect->transport, error) < 0) {
        redirect_destroy(redirect);
        return -1;
    }
    *out = redirect;
    return 0;
}

void redirect_destroy(struct redirect *redirect)
{
    if (!redirect)
        return;
    transport_deinit(&redirect->transport);
    ruleset_deinit(&redirect->ruleset);
    free(redirect);
}

int redirect_owner_fd(const struct redirect *redirect)
{
    return mnl_socket_get_fd(redirect->transport.changes.netlink);
}

bool redirect_is_owned(const struct redirect *redirect)
{
    return redirect->owned;
}

/* Sends what the caller has put into `batch`, and disposes of it. */
static int redirect_run(struct redirect *redirect, struct batch *batch, bool missing_is_fine,
                        struct error *error)
{
    struct failure failure;
    int outcome;

    batch_finish(batch);
    outcome = transport_run(&redirect->transport, batch, &failure);
    if (outcome < 0 && missing_is_fine && failure.kind == FAILURE_KERNEL &&
        failure.number == ENOENT && !failure.refused)
        outcome = 0;
    if (outcome < 0)
        failure_explain(&failure, error);
    batch_deinit(batch);
    return outcome;
}

static void take_table(const struct nlmsghdr *header, void *context)
{
    struct table_state *state = context;
    struct nftnl_table *table;

    if (header->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE))
        return;
    table = nftnl_table_alloc();
    if (table && nftnl_table_nlmsg_parse(header, table) >= 0) {
        state->exists = true;
        if (nftnl_table_is_set(table, NFTNL_TABLE_OWNER))
            state->owner = nftnl_table_get_u32(table, NFTNL_TABLE_OWNER);
    }
    if (table)
        nftnl_table_free(table);
}

static int redirect_read_table(struct redirect *redirect, struct table_state *state,
                               struct failure *failure)
{
    struct batch batch;
    int outcome;

    *state = (struct table_state){0};
    batch_init(&batch, BATCH_QUERY);
    ruleset_netlink_ask_table(&batch);
    outcome = transport_query(&redirect->transport, &batch, take_table, state, failure);
    if (outcome < 0 && failure->kind == FAILURE_KERNEL && failure->number == ENOENT)
        outcome = 0;
    batch_deinit(&batch);
    return outcome;
}

/* Whether the kernel does not know owned tables: it refuses the table's own message then, with
 * EINVAL or EOPNOTSUPP. */
static bool owner_is_unknown(const struct failure *failure)
{
    return failure->kind == FAILURE_KERNEL && !failure->refused && !failure->object.name &&
           !failure->object.admits && (failure->number == EOPNOTSUPP || failure->number == EINVAL);
}

/* Whether a table came or went, or an admission's chain changed, between the look at it and the
 * batch. */
static bool table_has_changed(const struct failure *failure)
{
    return admission_is_outdated(failure) ||
           (failure->kind == FAILURE_KERNEL && !failure->refused && !failure->object.name &&
            !failure->object.admits && (failure->number == EEXIST || failure->number == ENOENT));
}

/* What the table begins with. */
struct contents {
    uint16_t lease_port;
    uint64_t lease_ms; /* 0: no lease */
    const struct redirect_relay *relays;
    size_t relay_count;
    const struct config *fresh; /* that it is for, instead of the redirect's; NULL: the same */
};

/* Begins the batch that replaces the table. An open window's admissions move with it; without a
 * lease those that stand go, whether or not somebody has seen to that already. */
static int redirect_begin_table(struct redirect *redirect, const struct contents *contents,
                                struct batch *batch, struct failure *failure)
{
    const struct config *old = redirect->config, *fresh = contents->fresh;
    const bool leased = contents->lease_ms > 0;

    if (!fresh || old->redirect.admit_count + (leased ? fresh->redirect.admit_count : 0) == 0) {
        batch_init(batch, BATCH_ATOMIC);
        return 0;
    }
    if (admission_begin(&redirect->transport, batch, failure) < 0)
        return -1;
    if (redirect_take_admissions(redirect, batch, old, leased ? fresh : NULL, failure) == 0 &&
        (!leased || redirect_put_admissions(redirect, batch, fresh, failure) == 0))
        return 0;
    batch_deinit(batch);
    return -1;
}

static int redirect_install_once(struct redirect *redirect, const struct ruleset *ruleset,
                                 const struct contents *contents, const struct table_state *state,
                                 struct failure *failure)
{
    struct batch batch;
    int outcome;

    if (redirect_begin_table(redirect, contents, &batch, failure) < 0)
        return -1;
    if (state->exists)
        ruleset_netlink_delete_table(&batch);
    ruleset_netlink_create(&batch, ruleset, !redirect->without_owner);
    if (contents->lease_ms > 0)
        set_netlink_add_port(&batch, RULESET_SET_PORTS, contents->lease_port, contents->lease_ms);
    relay_netlink_add(&batch, contents->relays, contents->relay_count);
    batch_finish(&batch);
    outcome = transport_run(&redirect->transport, &batch, failure);
    if (outcome == 0)
        redirect->owned = !redirect->without_owner;
    batch_deinit(&batch);
    return outcome;
}

static int redirect_install_table(struct redirect *redirect, const struct ruleset *ruleset,
                                  const struct contents *contents, struct error *error)
{
    struct failure failure;
    struct table_state state;

    transport_start_clock(&redirect->transport);
    for (int attempt = 0; attempt < 4; attempt++) {
        if (redirect_read_table(redirect, &state, &failure) < 0)
            break;
        if (state.owner != 0 && state.owner != redirect->transport.changes.port)
            return error_set(
                error, EX_CANTCREAT,
                "table inet " REDIRECT_TABLE
                ": owned by another program (netlink port %u): is a wicket-keeper running?",
                (unsigned)state.owner);
        if (redirect_install_once(redirect, ruleset, contents, &state, &failure) == 0)
            return 0;
        if (!redirect->without_owner && owner_is_unknown(&failure))
            redirect->without_owner = true;
        else if (!table_has_changed(&failure))
            break;
    }
    return failure_explain(&failure, error);
}

int redirect_install(struct redirect *redirect, struct error *error)
{
    return redirect_install_table(redirect, &redirect->ruleset, &(struct contents){0}, error);
}

int redirect_replace(struct redirect *redirect, const struct config *fresh, uint64_t lease_left_ms,
                     const struct redirect_relay *relays, size_t relay_count, struct error *error)
{
    const struct contents contents = {
        .lease_port = fresh->redirect.port,
        .lease_ms = lease_left_ms,
        .relays = relays,
        .relay_count = fresh->other_requests == CONFIG_OTHER_PASS ? relay_count : 0,
        .fresh = fresh,
    };
    struct ruleset ruleset;

    if (ruleset_init(&ruleset, fresh, error) < 0)
        return -1;
    if (redirect_install_table(redirect, &ruleset, &contents, error) < 0) {
        ruleset_deinit(&ruleset);
        return -1;
    }
    ruleset_deinit(&redirect->ruleset);
    redirect->ruleset = ruleset;
    return 0;
}

void redirect_put_lease(const struct redirect *redirect, struct batch *batch, bool first)
{
    static const char *const missing[] = {RULESET_SET_MISSING4, RULESET_SET_MISSING6};
    const struct config *config = redirect->config;

    set_netlink_renew_port(batch, RULESET_SET_PORTS, config->redirect.port,
                           config->window.lease_ms);
    for (size_t i = 0; first && i < sizeof(missing) / sizeof(missing[0]); i++)
        if (ruleset_find_set(&redirect->ruleset, missing[i]))
            set_netlink_flush(batch, missing[i]);
}

static int redirect_lease(struct redirect *redirect, bool first, struct error *error)
{
    struct batch batch;
    bool changed;

    if (redirect->config->redirect.admit_count > 0)
        return redirect_run_admitting(redirect, first ? ADMITTING_LEASED_FIRST : ADMITTING_LEASED,
                                      &changed, error);
    transport_start_clock(&redirect->transport);
    batch_init(&batch, BATCH_ATOMIC);
    redirect_put_lease(redirect, &batch, first);
    return redirect_run(redirect, &batch, false, error);
}

int redirect_open(struct redirect *redirect, struct error *error)
{
    return redirect_lease(redirect, true, error);
}

int redirect_arm(struct redirect *redirect, struct error *error)
{
    return redirect_lease(redirect, false, error);
}

int redirect_probe(struct redirect *redirect, uint16_t source_port, uint64_t timeout_ms,
                   struct error *error)
{
    struct batch batch;

    transport_start_clock(&redirect->transport);
    batch_init(&batch, BATCH_ATOMIC);
    set_netlink_renew_port(&batch, RULESET_SET_PROBE, source_port, timeout_ms);
    return redirect_run(redirect, &batch, false, error);
}

int redirect_shut(struct redirect *redirect, struct error *error)
{
    struct batch batch;

    transport_start_clock(&redirect->transport);
    batch_init(&batch, BATCH_ATOMIC);
    set_netlink_delete_port(&batch, RULESET_SET_PORTS, redirect->config->redirect.port);
    if (redirect_run(redirect, &batch, true, error) < 0)
        return -1;
    if (redirect->config->redirect.admit_count == 0)
        return 0;
    /* The door first: it shuts, whatever becomes of a rule that nobody comes to then. */
    bool changed;
    return redirect_run_admitting(redirect, ADMITTING_NO_MORE, &changed, error);
}

/* Whether it is for want or for abundance of an element. The kernel says of a table that is gone
 * what it says of an element that is gone. */
static bool relay_is_at_odds(const struct failure *failure, bool removes)
{
    return failure->kind == FAILURE_KERNEL && !failure->refused &&
           (failure->number == EEXIST || (failure->number == ENOENT && removes));
}

int redirect_relay(struct redirect *redirect, const struct redirect_relay *add, size_t add_count,
                   const struct redirect_relay *remove, size_t remove_count, struct error *error)
{
    struct batch batch;
    struct failure failure;
    int outcome = 0;

    if (add_count + remove_count == 0)
        return 0;
    transport_start_clock(&redirect->transport);
    batch_init(&batch, BATCH_ATOMIC);
    relay_netlink_remove(&batch, remove, remove_count);
    relay_netlink_add(&batch, add, add_count);
    batch_finish(&batch);
    if (transport_run(&redirect->transport, &batch, &failure) < 0)
        outcome =
            relay_is_at_odds(&failure, remove_count > 0)
                ? error_set(error, EX_DATAERR, "%s %s of table inet " REDIRECT_TABLE ": %s",
                            failure.object.kind, failure.object.name,
                            failure.number == EEXIST ? "a relay to be added is there already"
                                                     : "a relay to be removed is gone already")
                : failure_explain(&failure, error);
    batch_deinit(&batch);
    return outcome;
}

int redirect_remove(struct redirect *redirect, struct error *error)
{
    struct batch batch;

    transport_start_clock(&redirect->transport);
    batch_init(&batch, BATCH_ATOMIC);
    ruleset_netlink_delete_table(&batch);
    return redirect_run(redirect, &batch, true, error);
}

int redirect_read_counters(struct redirect *redirect, struct redirect_counters *out,
                           struct error *error)
{
    struct failure failure;

    transport_start_clock(&redirect->transport);
    if (counters_read(&redirect->transport, &redirect->ruleset, out, &failure) < 0)
        return failure_explain(&failure, error);
    return 0;
}

int redirect_read_connections(struct redirect *redirect, struct redirect_counters *out,
                              struct error *error)
{
    struct failure failure;

    transport_start_clock(&redirect->transport);
    if (counters_read_connections(&redirect->transport, &redirect->ruleset, out, &failure) < 0)
        return failure_explain(&failure, error);
    return 0;
}
