// SPDX-License-Identifier: GPL-2.0-or-later
#include "redirect/ruleset_explain.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

/* What each statement says. %s: the set; %u: the port. */
static const struct phrase {
    bool acts; /* else it is a condition */
    const char *text;
} phrases[] = {
    [RULESET_FAMILY4] = {false, "over IPv4"},
    [RULESET_FAMILY6] = {false, "over IPv6"},
    [RULESET_IIFNAME_IN] = {false, "by one of @%s"},
    [RULESET_NOT_LOOPBACK] = {false, "from outside"},
    [RULESET_OUT_LOOPBACK] = {false, "that stays on this host"},
    [RULESET_OUT_NOT_LOOPBACK] = {false, "that leaves this host"},
    [RULESET_SADDR4_IN] = {false, "from an address in @%s"},
    [RULESET_SADDR6_IN] = {false, "from an address in @%s"},
    [RULESET_DADDR4_IN] = {false, "to an address in @%s"},
    [RULESET_DADDR6_IN] = {false, "to an address in @%s"},
    [RULESET_DADDR_LOCAL] = {false, "to an address of this host"},
    [RULESET_SADDR_LOCAL] = {false, "from an address of this host"},
    [RULESET_SADDR_REAL] = {false, "from an address that one host can have"},
    [RULESET_SPORT_IN] = {false, "from a port in @%s"},
    [RULESET_DPORT_IN] = {false, "to a port in @%s"},
    [RULESET_DPORT] = {false, "to port %u"},
    [RULESET_SYN] = {false, "that begins a connection"},
    [RULESET_NOT_SYN] = {false, "that begins no connection"},
    [RULESET_UPSTREAM] = {false, "that passes a visitor on to production"},
    [RULESET_NOT_UPSTREAM] = {false, "that does not pass a visitor on to production"},
    [RULESET_CT_DNAT] = {false, "of a connection whose destination was rewritten"},
    [RULESET_CT_DNAT_NEW] = {false, "for which a destination was just rewritten"},
    [RULESET_CT_SNAT] = {false, "of a connection whose source was rewritten"},
    [RULESET_CT_DPORT] = {false, "of a connection that was made to port %u"},
    [RULESET_ADD_SADDR4] = {true, "its source is noted in @%s"},
    [RULESET_ADD_SADDR6] = {true, "its source is noted in @%s"},
    [RULESET_DELETE_SADDR4] = {true, "its source is taken out of @%s"},
    [RULESET_DELETE_SADDR6] = {true, "its source is taken out of @%s"},
    [RULESET_CT_TIMEOUT] = {true, "its end is remembered no longer than %s says"},
    [RULESET_COUNTER] = {true, "it is counted"},
    [RULESET_REDIRECT] = {true, "it is sent to the responder, at port %u"},
    [RULESET_SNAT4] = {true, "it gets the visitor's address, if @%s has one for it"},
    [RULESET_SNAT6] = {true, "it gets the visitor's address, if @%s has one for it"},
    [RULESET_LOOPBACK] = {false, "from this host, over the loopback"},
    [RULESET_SOCKET4_IN] = {false, "from a socket in @%s"},
    [RULESET_SOCKET6_IN] = {false, "from a socket in @%s"},
    [RULESET_NOT_DPORT] = {false, "to another port than %u"},
    [RULESET_ACK] = {false, "that neither begins a connection nor ends one"},
    [RULESET_CT_NOT_SNAT] = {false, "of a connection whose source was not rewritten"},
    [RULESET_UPDATE_DPORT] = {true, "its port is noted in @%s"},
    [RULESET_UPDATE_SOCKET4] = {true, "its socket is noted in @%s"},
    [RULESET_UPDATE_SOCKET6] = {true, "its socket is noted in @%s"},
    [RULESET_TPROXY] = {true, "it is handed to the responder at port %u as it is, if that listens"},
    [RULESET_TPROXY4] = {true,
                         "it is handed to the responder at port %u as it is, if that listens"},
    [RULESET_TPROXY6] = {true,
                         "it is handed to the responder at port %u as it is, if that listens"},
    [RULESET_DNAT_SAME4] = {true, "its destination is kept from other rewriting"},
    [RULESET_DNAT_SAME6] = {true, "its destination is kept from other rewriting"},
    [RULESET_ACCEPT] = {true, "it is let on"},
    [RULESET_DROP] = {true, "it is dropped"},
    [RULESET_RETURN] = {true, "it is left alone"},
};
static_assert(sizeof(phrases) / sizeof(phrases[0]) == RULESET_STATEMENTS,
              "a phrase for every statement");

static void write_phrase(FILE *stream, const struct ruleset_statement *statement)
{
    const char *text = phrases[statement->type].text;
    const char *hole = strchr(text, '%');

    if (!hole) {
        fputs(text, stream);
        return;
    }
    fwrite(text, 1, (size_t)(hole - text), stream);
    if (hole[1] == 's')
        fputs(statement->set, stream);
    else
        fprintf(stream, "%u", (unsigned)statement->port);
    fputs(hole + 2, stream);
}

static size_t write_all(FILE *stream, const struct ruleset_rule *rule, bool acts,
                        const char *between)
{
    size_t count = 0;

    for (size_t i = 0; i < rule->statement_count; i++) {
        if (phrases[rule->statements[i].type].acts != acts)
            continue;
        if (count++ > 0)
            fputs(between, stream);
        write_phrase(stream, &rule->statements[i]);
    }
    return count;
}

void ruleset_explain(FILE *stream, const struct ruleset_rule *rule)
{
    fputs("\t\t# A packet ", stream);
    if (write_all(stream, rule, false, ", ") == 0)
        fputs("of any kind", stream);
    fputs(": ", stream);
    write_all(stream, rule, true, ", and ");
    fputs(".\n", stream);
}
