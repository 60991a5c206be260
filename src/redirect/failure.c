// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "redirect/redirect.h"
#include "redirect/transport.h"

#define TABLE "table inet " REDIRECT_TABLE

/* "set ports of table inet wicket" */
static const char *failure_object(char *out, size_t capacity, const struct batch_object *object)
{
    if (object->kind && object->name)
        snprintf(out, capacity, "%s %s of " TABLE, object->kind, object->name);
    else
        snprintf(out, capacity, TABLE);
    return out;
}

static int explain_kernel(const struct failure *failure, struct error *error)
{
    char object[128], reason[REPLY_TEXT_MAX + 96];
    const char *of = failure_object(object, sizeof(object), &failure->object);

    snprintf(reason, sizeof(reason), "%s%s%s%s", strerror(failure->number),
             failure->text[0] ? " (" : "", failure->text, failure->text[0] ? ")" : "");
    switch (failure->number) {
    case EPERM:
    case EACCES:
        if (failure->refused || failure->query) /* an owner stops changes only */
            return error_set(error, EX_NOPERM,
                             "%s: %s: wicket-keeper needs CAP_NET_ADMIN in this network namespace",
                             of, reason);
        return error_set(error, EX_CANTCREAT, "%s: %s: the table is owned by another program", of,
                         reason);
    case ENOENT:
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
        if (failure->object.modules)
            return error_set(error, EX_UNAVAILABLE,
                             "%s: %s: the kernel lacks nftables support for it (modules %s)", of,
                             reason, failure->object.modules);
        if (failure->refused)
            return error_set(error, EX_UNAVAILABLE,
                             "%s: %s: the kernel lacks nftables (module nf_tables)", of, reason);
        return error_set(error, EX_UNAVAILABLE, "%s: %s: somebody deleted it", of, reason);
    case EEXIST:
        return error_set(error, EX_CANTCREAT, "%s: %s: somebody else creates it", of, reason);
    case ENOMEM:
    case ENFILE:
    case EBUSY:
    case EAGAIN:
    case EINTR:
        return error_set(error, EX_TEMPFAIL, "%s: %s: try again", of, reason);
    default:
        return error_set(error, EX_OSERR, "%s: %s", of, reason);
    }
}

/* A chain that is somebody else's. */
static int explain_admission(const struct failure *failure, struct error *error)
{
    const struct config_chain *chain = failure->object.admits;
    const char *reason = strerror(failure->number);

    if (failure->query || (failure->number != EPERM && failure->number != EACCES))
        return error_set(error, EX_TEMPFAIL, "redirect.admit: chain %s %s %s: %s%s%s%s: try again",
                         chain->family, chain->table, chain->chain, reason,
                         failure->text[0] ? " (" : "", failure->text, failure->text[0] ? ")" : "");
    return error_set(error, EX_CONFIG,
                     "redirect.admit: chain %s %s %s: %s: the table belongs to another program, "
                     "which alone may change it: leave the chain out, and let that program let in "
                     "what has \"ct status dnat\" (README, \"Behind a firewall\")",
                     chain->family, chain->table, chain->chain, reason);
}

int failure_explain(const struct failure *failure, struct error *error)
{
    switch (failure->kind) {
    case FAILURE_TOLD:
        *error = failure->told;
        return -1;
    case FAILURE_KERNEL:
        if (failure->object.admits && !failure->refused)
            return explain_admission(failure, error);
        return explain_kernel(failure, error);
    case FAILURE_SYSTEM:
        if (failure->number == EMSGSIZE)
            return error_set(
                error, EX_UNAVAILABLE,
                TABLE ": netlink %s: %s: the ruleset is too large for the socket's send buffer: "
                      "give fewer redirect.sources, or raise net.core.wmem_max",
                failure->call, strerror(failure->number));
        return error_set(error, EX_OSERR, TABLE ": netlink %s: %s", failure->call,
                         strerror(failure->number));
    case FAILURE_TIMEOUT:
        return error_set(error, EX_TEMPFAIL,
                         TABLE ": no answer from the kernel within %d ms: try again",
                         TRANSPORT_DEADLINE_MS);
    case FAILURE_LOST:
        return error_set(error, EX_TEMPFAIL,
                         TABLE ": the kernel's answers were lost (no buffer space): try again");
    case FAILURE_MEMORY:
        return error_set(error, EX_TEMPFAIL, TABLE ": out of memory: try again");
    case FAILURE_NONE:
        break;
    }
    return error_set(error, EX_SOFTWARE, TABLE ": failed without a reason");
}
