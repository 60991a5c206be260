// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/journey.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>

#include "redirect/redirect.h"

#define PRIORITY_CONNTRACK (-200)

/* Newer than the headers may be. */
#define HOOK_INET_INGRESS   5
#define HOOK_NETDEV_INGRESS 0

static bool has_device(const struct firewall_chain *chain, const char *name)
{
    for (size_t i = 0; i < chain->device_count; i++)
        if (strcmp(chain->devices[i], name) == 0)
            return true;
    return false;
}

static bool is_of_family(const struct firewall_chain *chain, enum network_family family)
{
    return chain->family == NFPROTO_INET ||
           chain->family == (family == NETWORK_IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
}

static bool is_ours(const struct firewall_chain *chain)
{
    return chain->family == NFPROTO_INET && strcmp(chain->table, REDIRECT_TABLE) == 0;
}

static bool belongs(const struct journey *journey, enum stage stage,
                    const struct traveller *traveller, const struct firewall_chain *chain)
{
    bool behind = chain->priority > journey->redirect_priority;

    if (!chain->base || is_ours(chain))
        return false;
    switch (stage) {
    case STAGE_INGRESS:
        return ((chain->family == NFPROTO_NETDEV && chain->hook == HOOK_NETDEV_INGRESS) ||
                (chain->family == NFPROTO_INET && chain->hook == HOOK_INET_INGRESS)) &&
               has_device(chain, traveller->by->name);
    case STAGE_PREROUTING:
        return is_of_family(chain, traveller->family) && chain->hook == NF_INET_PRE_ROUTING &&
               !behind;
    case STAGE_REDIRECTED:
        return is_of_family(chain, traveller->family) && chain->hook == NF_INET_PRE_ROUTING &&
               behind;
    case STAGE_INPUT:
        return is_of_family(chain, traveller->family) && chain->hook == NF_INET_LOCAL_IN;
    case STAGE_OUTPUT:
        return is_of_family(chain, traveller->family) && chain->hook == NF_INET_LOCAL_OUT;
    }
    return false;
}

/* Stable, so that among equals the order of the kernel's list is kept. */
static void insert(const struct firewall_chain **chains, size_t count,
                   const struct firewall_chain *chain)
{
    size_t at = count;

    for (; at > 0 && chains[at - 1]->priority > chain->priority; at--)
        chains[at] = chains[at - 1];
    chains[at] = chain;
}

size_t journey_chains(const struct journey *journey, enum stage stage,
                      const struct traveller *traveller,
                      const struct firewall_chain *chains[JOURNEY_CHAINS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < journey->firewall->chain_count; i++) {
        const struct firewall_chain *chain = &journey->firewall->chains[i];

        if (count < JOURNEY_CHAINS_MAX && belongs(journey, stage, traveller, chain))
            insert(chains, count++, chain);
    }
    return count;
}

static uint8_t protocol(const struct traveller *traveller)
{
    return traveller->family == NETWORK_IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
}

static void begin(const struct journey *journey, const struct traveller *traveller,
                  const struct packet_address *source, struct packet *packet)
{
    struct packet_address destination = {.known = true};

    memcpy(destination.bytes, traveller->to->bytes, sizeof(destination.bytes));
    packet_init(packet, protocol(traveller), source, &destination, journey->config->redirect.port);
}

static void name_interface(struct packet_interface *out, uint32_t index, const char *name)
{
    *out = (struct packet_interface){.index = index};
    memcpy(out->name, name, strnlen(name, sizeof(out->name) - 1));
}

static const struct packet_address unknown;

void journey_begin(const struct journey *journey, const struct traveller *traveller,
                   struct packet *packet)
{
    begin(journey, traveller, &unknown, packet);
    name_interface(&packet->in, traveller->by->index, traveller->by->name);
}

void journey_redirect(const struct journey *journey, struct packet *packet)
{
    if (journey->config->redirect.method != CONFIG_METHOD_REDIRECT)
        return;
    packet_set_destination_port(packet, journey->config->responder.port);
    packet->status |= IPS_DST_NAT;
}

void journey_pass(const struct journey *journey, const struct traveller *traveller,
                  struct packet *packet)
{
    begin(journey, traveller, &unknown, packet);
    name_interface(&packet->in, 1, "lo");
}

void journey_answer(const struct journey *journey, const struct traveller *traveller,
                    struct packet *packet)
{
    bool redirected = journey->config->redirect.method == CONFIG_METHOD_REDIRECT;

    begin(journey, traveller, &unknown, packet);
    journey_redirect(journey, packet);
    packet_make_reply(packet, redirected ? journey->config->responder.port
                                         : journey->config->redirect.port);
    name_interface(&packet->out, traveller->by->index, traveller->by->name);
}

void journey_own(const struct journey *journey, const struct traveller *traveller,
                 struct packet *packet)
{
    struct packet_address source = {.known = true};

    memcpy(source.bytes, traveller->to->bytes, sizeof(source.bytes));
    begin(journey, traveller, &source, packet);
    name_interface(&packet->out, 1, "lo");
}

void journey_track(struct packet *packet, const struct firewall_chain *chain)
{
    bool ingress = chain->family == NFPROTO_NETDEV || chain->hook == HOOK_INET_INGRESS;

    packet->tracked = !ingress && chain->priority > PRIORITY_CONNTRACK;
    if (!packet->tracked)
        packet->state = NF_CT_STATE_INVALID_BIT;
    else
        packet->state = NF_CT_STATE_BIT(packet->reply ? IP_CT_ESTABLISHED : IP_CT_NEW);
}
