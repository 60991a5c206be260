// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "check/judge.h"
#include "check/judge_text.h"

/* Addresses of one interface and family that are looked at; more of them are alike. */
#define ADDRESSES_MAX 8

static bool chooses_interface(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->redirect.interface_count; i++)
        if (strcmp(config->redirect.interfaces[i], name) == 0)
            return true;
    return config->redirect.interface_count == 0;
}

static bool chooses_address(const struct config *config, const struct network_address *address)
{
    size_t length = address->family == NETWORK_IPV4 ? 4 : 16;
    int family = address->family == NETWORK_IPV4 ? AF_INET : AF_INET6;

    for (size_t i = 0; i < config->redirect.address_count; i++)
        if (config->redirect.addresses[i].family == family &&
            memcmp(&config->redirect.addresses[i].address, address->bytes, length) == 0)
            return true;
    return config->redirect.address_count == 0;
}

static bool is_way(const struct journey *journey, const struct network_interface *interface)
{
    return network_is_external(journey->network, interface) &&
           chooses_interface(journey->config, interface->name);
}

typedef void visit_way(void *context, const struct journey *journey,
                       const struct traveller *traveller);

/* By one interface: to its own addresses, or where it has none to those that lie elsewhere. */
static void each_address(const struct journey *journey, const struct network_interface *interface,
                         enum network_family family, visit_way *visit, void *context)
{
    const struct network *network = journey->network;
    size_t seen = 0;

    for (int own = 1; own >= 0 && seen == 0; own--)
        for (size_t i = 0; i < network->address_count && seen < ADDRESSES_MAX; i++) {
            const struct network_address *address = &network->addresses[i];

            if (address->family != family || !address->global ||
                (address->interface == interface->index) != own ||
                (!own && !interface->routed[family]) || !chooses_address(journey->config, address))
                continue;
            visit(context, journey,
                  &(struct traveller){.family = family, .by = interface, .to = address});
            seen++;
        }
}

static void each_way(const struct journey *journey, visit_way *visit, void *context)
{
    for (size_t i = 0; i < journey->network->interface_count; i++) {
        const struct network_interface *interface = &journey->network->interfaces[i];

        if (!is_way(journey, interface))
            continue;
        each_address(journey, interface, NETWORK_IPV4, visit, context);
        each_address(journey, interface, NETWORK_IPV6, visit, context);
    }
}

struct judging {
    struct findings *report;
    size_t ways;
};

static void judge(void *context, const struct journey *journey, const struct traveller *traveller)
{
    struct judging *judging = context;

    judging->ways++;
    judge_traveller(judging->report, journey, traveller);
}

void judge_firewall(struct findings *report, const struct journey *journey)
{
    struct judging judging = {.report = report};
    size_t before = findings_count(report, LEVEL_FINDING);

    each_way(journey, judge, &judging);
    if (judging.ways == 0)
        findings_add(report, LEVEL_FINDING, "network", NULL,
                     "check redirect.interfaces and redirect.addresses, and ip address",
                     "no interface that is up leads to an address that a validator could ask for");
    else if (findings_count(report, LEVEL_FINDING) == before)
        findings_add(report, LEVEL_GOOD, "firewall", NULL, NULL,
                     "nothing in %zu chains drops or diverts what a window redirects",
                     journey->firewall->chain_count);
}

/* The kernel redirects to an address of the interface that a packet comes in by; the packet is
 * dropped where there is none. */
void judge_network(struct findings *report, const struct journey *journey)
{
    const struct network *network = journey->network;

    if (journey->config->redirect.method != CONFIG_METHOD_REDIRECT)
        return;
    for (size_t i = 0; i < network->interface_count; i++) {
        const struct network_interface *interface = &network->interfaces[i];

        for (enum network_family family = 0; family < NETWORK_FAMILIES; family++)
            if (is_way(journey, interface) && !interface->numbered[family] &&
                interface->routed[family] && network_has_global(network, family))
                findings_add(report, LEVEL_FINDING, "network", NULL,
                             "redirect.method: tproxy, which needs no address there",
                             "interface %s has no %s address: new connections that come in by it "
                             "cannot be redirected, and are dropped",
                             interface->name, network_family_name(family));
    }
}

struct telling {
    FILE *out;
    size_t count;
};

static const char *fate_text(enum fate fate)
{
    static const char *const texts[] = {
        [FATE_ACCEPT] = "lets it go on",
        [FATE_DROP] = "drops it",
        [FATE_DNAT] = "sends it to another address or port",
        [FATE_TPROXY] = "hands it to another socket",
        [FATE_QUEUE] = "leaves it to a program",
        [FATE_FORWARD] = "sends it out by another interface",
        [FATE_NOTRACK] = "keeps connection tracking away from it",
    };

    return texts[fate];
}

static const char *truth_text(enum truth truth)
{
    switch (truth) {
    case TRUTH_YES:
        return "";
    case TRUTH_LIKELY:
        return ", for most";
    case TRUTH_OPEN:
        return ", perhaps";
    case TRUTH_UNLIKELY:
        return ", for some";
    case TRUTH_NO:
        break;
    }
    return ", never";
}

static void tell_stage(struct telling *telling, const struct journey *journey,
                       const struct traveller *traveller, enum stage stage, struct packet *packet)
{
    static const char *const names[] = {"ingress", "prerouting", "prerouting, redirected", "input",
                                        "output"};
    const struct firewall_chain *chains[JOURNEY_CHAINS_MAX];
    size_t count = journey_chains(journey, stage, traveller, chains);
    struct evaluation evaluation;
    char place[JUDGE_TEXT];

    for (size_t i = 0; i < count; i++) {
        journey_track(packet, chains[i]);
        evaluate(journey->firewall, chains[i], packet, &evaluation);
        for (size_t j = 0; j < evaluation.count; j++) {
            const struct ending *ending = &evaluation.endings[j];

            fprintf(telling->out, "#   %s, priority %d: %s %s%s\n", names[stage],
                    (int)chains[i]->priority,
                    judge_place(place, sizeof(place), journey->firewall, ending),
                    fate_text(ending->fate), truth_text(ending->truth));
        }
        telling->count++;
    }
}

static void tell(void *context, const struct journey *journey, const struct traveller *traveller)
{
    struct telling *telling = context;
    struct packet packet;
    char scope[64];

    fprintf(telling->out, "#\n# A new connection to %s port %u, %s:\n", traveller->to->text,
            journey->config->redirect.port, judge_scope(scope, sizeof(scope), traveller));
    telling->count = 0;
    journey_begin(journey, traveller, &packet);
    tell_stage(telling, journey, traveller, STAGE_INGRESS, &packet);
    tell_stage(telling, journey, traveller, STAGE_PREROUTING, &packet);
    fprintf(telling->out, "#   prerouting, priority %d: the window redirects it\n",
            (int)journey->redirect_priority);
    journey_redirect(journey, &packet);
    tell_stage(telling, journey, traveller, STAGE_REDIRECTED, &packet);
    tell_stage(telling, journey, traveller, STAGE_INPUT, &packet);
    journey_answer(journey, traveller, &packet);
    tell_stage(telling, journey, traveller, STAGE_OUTPUT, &packet);
    if (telling->count == 0)
        fprintf(telling->out, "#   no other chain of this host sees it\n");
}

void judge_explain(FILE *out, const struct journey *journey)
{
    struct telling telling = {.out = out};

    each_way(journey, tell, &telling);
}
