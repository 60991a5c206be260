// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "redirect/redirect.h"
#include "redirect/ruleset.h"
#include "redirect/ruleset_explain.h"
#include "wicket/duration.h"

/* The table as nft(8) text. Loaded with `nft -f` it is what ruleset_netlink.c puts into the kernel;
 * a test compares the two. */

/* %s: the set; %u: the port. */
static const char *const statement_texts[] = {
    [RULESET_FAMILY4] = "meta nfproto ipv4",
    [RULESET_FAMILY6] = "meta nfproto ipv6",
    [RULESET_IIFNAME_IN] = "iifname @%s",
    [RULESET_LOOPBACK] = "iif lo",
    [RULESET_NOT_LOOPBACK] = "iif != lo",
    [RULESET_OUT_LOOPBACK] = "oif lo",
    [RULESET_OUT_NOT_LOOPBACK] = "oif != lo",
    [RULESET_SADDR4_IN] = "ip saddr @%s",
    [RULESET_SADDR6_IN] = "ip6 saddr @%s",
    [RULESET_DADDR4_IN] = "ip daddr @%s",
    [RULESET_DADDR6_IN] = "ip6 daddr @%s",
    [RULESET_DADDR_LOCAL] = "fib daddr type local",
    [RULESET_SADDR_LOCAL] = "fib saddr type local",
    [RULESET_SADDR_REAL] = "fib saddr type unicast",
    [RULESET_SOCKET4_IN] = "ip saddr . tcp sport @%s",
    [RULESET_SOCKET6_IN] = "ip6 saddr . tcp sport @%s",
    [RULESET_SPORT_IN] = "tcp sport @%s",
    [RULESET_DPORT_IN] = "tcp dport @%s",
    [RULESET_DPORT] = "tcp dport %u",
    [RULESET_NOT_DPORT] = "tcp dport != %u",
    [RULESET_SYN] = "tcp flags & (fin | syn | rst | ack) == syn",
    [RULESET_NOT_SYN] = "tcp flags & (fin | syn | rst | ack) != syn",
    [RULESET_ACK] = "tcp flags & (fin | syn | rst | ack) == ack",
    [RULESET_UPSTREAM] = "meta priority 7763:6b74",
    [RULESET_NOT_UPSTREAM] = "meta priority != 7763:6b74",
    [RULESET_CT_DNAT] = "ct status dnat",
    [RULESET_CT_DNAT_NEW] = "ct status & (confirmed | dnat) == dnat",
    [RULESET_CT_SNAT] = "ct status snat",
    [RULESET_CT_NOT_SNAT] = "ct status ! snat",
    [RULESET_CT_DPORT] = "ct original proto-dst %u",
    [RULESET_ADD_SADDR4] = "add @%s { ip saddr }",
    [RULESET_ADD_SADDR6] = "add @%s { ip6 saddr }",
    [RULESET_DELETE_SADDR4] = "delete @%s { ip saddr }",
    [RULESET_DELETE_SADDR6] = "delete @%s { ip6 saddr }",
    [RULESET_UPDATE_DPORT] = "update @%s { tcp dport }",
    [RULESET_UPDATE_SOCKET4] = "update @%s { ip saddr . tcp sport }",
    [RULESET_UPDATE_SOCKET6] = "update @%s { ip6 saddr . tcp sport }",
    [RULESET_CT_TIMEOUT] = "ct timeout set \"%s\"",
    [RULESET_COUNTER] = "counter",
    [RULESET_REDIRECT] = "redirect to :%u",
    [RULESET_TPROXY] = "tproxy to :%u",
    [RULESET_TPROXY4] = "tproxy ip to :%u",
    [RULESET_TPROXY6] = "tproxy ip6 to :%u",
    [RULESET_DNAT_SAME4] = "dnat ip to ip daddr",
    [RULESET_DNAT_SAME6] = "dnat ip6 to ip6 daddr",
    [RULESET_SNAT4] = "snat ip to ip saddr . tcp sport map @%s",
    [RULESET_SNAT6] = "snat ip6 to ip6 saddr . tcp sport map @%s",
    [RULESET_ACCEPT] = "accept",
    [RULESET_DROP] = "drop",
    [RULESET_RETURN] = "return",
};
static_assert(sizeof(statement_texts) / sizeof(statement_texts[0]) == RULESET_STATEMENTS,
              "a text for every statement");
static_assert(REDIRECT_PRIORITY == 0x77636b74, "as the texts have it");

static const char *const key_texts[RULESET_KEYS] = {
    [RULESET_KEY_PORT] = "inet_service",
    [RULESET_KEY_INTERFACE] = "ifname",
    [RULESET_KEY_IPV4] = "ipv4_addr",
    [RULESET_KEY_IPV6] = "ipv6_addr",
    [RULESET_KEY_IPV4_PORT] = "ipv4_addr . inet_service",
    [RULESET_KEY_IPV6_PORT] = "ipv6_addr . inet_service",
};

static const char *const hook_texts[] = {
    [RULESET_HOOK_PREROUTING] = "prerouting",
    [RULESET_HOOK_INPUT] = "input",
    [RULESET_HOOK_OUTPUT] = "output",
    [RULESET_HOOK_POSTROUTING] = "postrouting",
};

/* The length of the prefix when the element is a network, -1 when it is any other range. */
static int element_prefix(const struct ruleset_element *element, size_t length)
{
    size_t bits = length * 8;
    size_t prefix = 0;

    while (prefix < bits &&
           !((element->first[prefix / 8] ^ element->last[prefix / 8]) & (0x80 >> prefix % 8)))
        prefix++;
    for (size_t bit = prefix; bit < bits; bit++) {
        int mask = 0x80 >> bit % 8;

        if ((element->first[bit / 8] & mask) || !(element->last[bit / 8] & mask))
            return -1;
    }
    return (int)prefix;
}

static void write_element(FILE *stream, const struct ruleset_element *element, enum ruleset_key key)
{
    int family = key == RULESET_KEY_IPV4 ? AF_INET : AF_INET6;
    size_t length = ruleset_key_length(key);
    char first[INET6_ADDRSTRLEN], last[INET6_ADDRSTRLEN];

    if (key == RULESET_KEY_INTERFACE) {
        fprintf(stream, "\"%.*s\"", (int)length, (const char *)element->first);
        return;
    }
    inet_ntop(family, element->first, first, sizeof(first));
    inet_ntop(family, element->last, last, sizeof(last));
    int prefix = element_prefix(element, length);
    if (prefix < 0)
        fprintf(stream, "%s-%s", first, last);
    else if ((size_t)prefix == length * 8)
        fprintf(stream, "%s", first);
    else
        fprintf(stream, "%s/%d", first, prefix);
}

static void write_timeout(FILE *stream, const struct ruleset_timeout *timeout)
{
    fprintf(stream,
            "\t# %s\n\tct timeout %s {\n\t\tprotocol tcp\n\t\tl3proto %s\n\t\tpolicy = { "
            "%s }\n\t}\n\n",
            timeout->note, timeout->name, timeout->ipv6 ? "ip6" : "ip",
            timeout->beginning ? "syn_sent : 1" : "time_wait : 1, close : 1");
}

static void write_set(FILE *stream, const struct ruleset_set *set)
{
    char timeout[DURATION_TEXT];

    fprintf(stream, "\t# %s\n\t%s %s {\n\t\ttype %s%s%s\n", set->note, set->map ? "map" : "set",
            set->name, key_texts[set->key], set->map ? " : " : "",
            set->map ? key_texts[set->value] : "");
    if (set->size_max > 0)
        fprintf(stream, "\t\tsize %u\n", (unsigned)set->size_max);
    if (set->timeout)
        fprintf(stream, "\t\tflags %stimeout\n", set->size_max > 0 ? "dynamic," : "");
    if (set->timeout_ms > 0)
        fprintf(stream, "\t\ttimeout %s\n",
                duration_format(timeout, sizeof(timeout), set->timeout_ms));
    if (set->interval)
        fputs("\t\tflags interval\n", stream);
    for (size_t i = 0; i < set->element_count; i++) {
        fputs(i == 0 ? "\t\telements = { " : ",\n\t\t\t     ", stream);
        write_element(stream, &set->elements[i], set->key);
    }
    if (set->element_count > 0)
        fputs(" }\n", stream);
}

static void write_lease(FILE *stream, const struct config *config)
{
    char timeout[DURATION_TEXT];

    fprintf(stream, "\t\telements = { %u timeout %s }\n", (unsigned)config->redirect.port,
            duration_format(timeout, sizeof(timeout), config->window.lease_ms));
}

static void write_statement(FILE *stream, const struct ruleset_statement *statement)
{
    const char *text = statement_texts[statement->type];
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

static void write_chain(FILE *stream, const struct ruleset_chain *chain, bool explain)
{
    fprintf(stream, "\t# %s\n\tchain %s {\n\t\ttype %s hook %s priority %d; policy accept;\n",
            chain->note, chain->name, chain->nat ? "nat" : "filter", hook_texts[chain->hook],
            (int)chain->priority);
    for (size_t i = 0; i < chain->rule_count; i++) {
        const struct ruleset_rule *rule = &chain->rules[i];

        if (explain)
            ruleset_explain(stream, rule);
        for (size_t j = 0; j < rule->statement_count; j++) {
            fputs(j == 0 ? "\t\t" : " ", stream);
            write_statement(stream, &rule->statements[j]);
        }
        if (rule->comment)
            fprintf(stream, " comment \"%s\"", rule->comment);
        fputc('\n', stream);
    }
    fputs("\t}\n", stream);
}

static int write_table(FILE *stream, const struct config *config, const char *table, bool owner,
                       bool lease, bool explain, struct error *error)
{
    struct ruleset ruleset;

    if (ruleset_init(&ruleset, config, error) < 0)
        return -1;
    fprintf(stream, "table inet %s {\n", table);
    if (owner)
        fputs("\tflags owner\n\n", stream);
    for (size_t i = 0; i < ruleset.timeout_count; i++)
        write_timeout(stream, &ruleset.timeouts[i]);
    for (size_t i = 0; i < ruleset.set_count; i++) {
        write_set(stream, &ruleset.sets[i]);
        if (lease && strcmp(ruleset.sets[i].name, RULESET_SET_PORTS) == 0)
            write_lease(stream, config);
        fputs("\t}\n\n", stream);
    }
    for (size_t i = 0; i < ruleset.chain_count; i++) {
        write_chain(stream, &ruleset.chains[i], explain);
        fputs(i + 1 < ruleset.chain_count ? "\n" : "", stream);
    }
    fputs("}\n", stream);
    ruleset_deinit(&ruleset);
    if (fflush(stream) != 0 || ferror(stream))
        return error_set_errno(error, EX_IOERR, "cannot write the ruleset");
    return 0;
}

int redirect_write_text(FILE *stream, const struct config *config, const char *table, bool owner,
                        bool lease, struct error *error)
{
    return write_table(stream, config, table, owner, lease, false, error);
}

int redirect_write_explained(FILE *stream, const struct config *config, struct error *error)
{
    return write_table(stream, config, REDIRECT_TABLE, true, true, true, error);
}
