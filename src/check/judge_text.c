// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/judge_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/rule.h>
#include <linux/netfilter.h>

#include "check/rule_text.h"

char *judge_place(char *out, size_t capacity, const struct firewall *firewall,
                  const struct ending *ending)
{
    const struct firewall_chain *chain = ending->chain;
    const char *legacy = chain->origin == FIREWALL_LEGACY ? "iptables-legacy " : "";
    char text[RULE_TEXT];

    if (!ending->rule)
        snprintf(out, capacity, "%s%s %s %s, its policy", legacy, firewall_family(chain->family),
                 chain->table, chain->name);
    else if (chain->origin == FIREWALL_LEGACY)
        snprintf(out, capacity, "%s%s %s %s (%s)", legacy, firewall_family(chain->family),
                 chain->table, chain->name,
                 rule_text(text, sizeof(text), firewall, chain, ending->rule));
    else
        snprintf(out, capacity, "%s %s %s rule %" PRIu64 " (%s)", firewall_family(chain->family),
                 chain->table, chain->name, nftnl_rule_get_u64(ending->rule, NFTNL_RULE_HANDLE),
                 rule_text(text, sizeof(text), firewall, chain, ending->rule));
    return out;
}

/* iptables-nft makes chains like these; nobody else writes them in capitals. */
static bool is_of_iptables(const struct firewall_chain *base)
{
    return base->origin == FIREWALL_LEGACY ||
           ((base->family == NFPROTO_IPV4 || base->family == NFPROTO_IPV6) &&
            strcmp(base->table, "filter") == 0 && strcmp(base->name, "INPUT") == 0);
}

static bool jumps_to(const struct firewall *firewall, const struct firewall_chain *base,
                     const char *name)
{
    return firewall_find_chain(firewall, base->family, base->table, name, base->origin) != NULL;
}

char *judge_admission(char *out, size_t capacity, const struct journey *journey,
                      const struct firewall_chain *base, enum network_family family)
{
    const struct config *config = journey->config;
    bool redirected = config->redirect.method == CONFIG_METHOD_REDIRECT;
    unsigned int port = redirected ? config->responder.port : config->redirect.port;
    const char *six = family == NETWORK_IPV6 ? "6" : "";

    if (jumps_to(journey->firewall, base,
                 family == NETWORK_IPV6 ? "ufw6-before-input" : "ufw-before-input"))
        snprintf(out, capacity, "ufw allow %u/tcp", port);
    else if (strcmp(base->table, "firewalld") == 0)
        snprintf(out, capacity,
                 "firewall-cmd --permanent --add-port=%u/tcp && firewall-cmd --reload", port);
    else if (is_of_iptables(base))
        snprintf(out, capacity, "ip%stables%s -I INPUT -p tcp --dport %u%s -j ACCEPT", six,
                 base->origin == FIREWALL_LEGACY ? "-legacy" : "", port,
                 redirected ? " -m conntrack --ctstate DNAT" : "");
    else
        snprintf(out, capacity, "nft insert rule %s %s %s %stcp dport %u accept",
                 firewall_family(base->family), base->table, base->name,
                 redirected ? "ct status dnat " : "", port);
    return out;
}

char *judge_scope(char *out, size_t capacity, const struct traveller *traveller)
{
    snprintf(out, capacity, "%s by %s", network_family_name(traveller->family),
             traveller->by->name);
    return out;
}

bool judge_is_admitted(const struct config *config, const struct firewall_chain *base)
{
    for (size_t i = 0; i < config->redirect.admit_count; i++) {
        const struct config_chain *one = &config->redirect.admit[i];

        if (strcmp(one->family, firewall_family(base->family)) == 0 &&
            strcmp(one->table, base->table) == 0 && strcmp(one->chain, base->name) == 0)
            return true;
    }
    return false;
}
