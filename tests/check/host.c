// SPDX-License-Identifier: GPL-2.0-or-later
#include "host.h"

#include <arpa/inet.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#include "check/judge.h"

void host_init(struct host *host)
{
    static const uint8_t address[] = {203, 0, 113, 80};
    struct network_interface *interface;

    *host = (struct host){0};
    config_init(&host->config);
    findings_init(&host->findings);
    firewall_init(&host->firewall);
    interface = network_add_interface(&host->network, 2, "eth0");
    assert_non_null(interface);
    interface->up = true;
    network_add_address(&host->network, NETWORK_IPV4, address, 2);
}

void host_deinit(struct host *host)
{
    findings_deinit(&host->findings);
    firewall_deinit(&host->firewall);
    network_deinit(&host->network);
    config_deinit(&host->config);
}

struct firewall_chain *host_add_base(struct host *host, const char *name, uint32_t hook,
                                     int32_t priority, uint32_t policy)
{
    struct firewall_chain *chain =
        firewall_add_chain(&host->firewall, NFPROTO_INET, "filter", name);

    assert_non_null(chain);
    chain->base = true;
    chain->hook = hook;
    chain->priority = priority;
    chain->policy = policy;
    return chain;
}

void rule_port(struct rule_build *build, uint16_t port)
{
    uint16_t network = htons(port);

    rule_build_meta(build, NFT_META_L4PROTO);
    rule_build_compare(build, NFT_CMP_EQ, &(uint8_t){IPPROTO_TCP}, 1);
    rule_build_payload(build, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
    rule_build_compare(build, NFT_CMP_EQ, &network, sizeof(network));
}

void rule_source(struct rule_build *build, const char *address)
{
    struct in_addr bytes;

    assert_int_equal(inet_pton(AF_INET, address, &bytes), 1);
    rule_build_payload(build, NFT_PAYLOAD_NETWORK_HEADER, 12, 4);
    rule_build_compare(build, NFT_CMP_EQ, &bytes, sizeof(bytes));
}

void rule_dnat_status(struct rule_build *build)
{
    static const uint32_t dnat = IPS_DST_NAT, none = 0;

    rule_build_ct(build, NFT_CT_STATUS);
    rule_build_mask(build, &dnat, sizeof(dnat));
    rule_build_compare(build, NFT_CMP_NEQ, &none, sizeof(none));
}

void host_add_rule(struct host *host, struct firewall_chain *chain, struct rule_build *build)
{
    assert_false(build->failed);
    assert_true(firewall_add_rule(&host->firewall, chain, build->rule));
}

void host_add_simple(struct host *host, struct firewall_chain *chain, uint16_t port, uint32_t code)
{
    struct rule_build build;

    rule_build_init(&build);
    if (port != 0)
        rule_port(&build, port);
    rule_build_verdict(&build, code, NULL);
    host_add_rule(host, chain, &build);
}

static struct journey journey_of(const struct host *host)
{
    return (struct journey){.firewall = &host->firewall,
                            .network = &host->network,
                            .config = &host->config,
                            .redirect_priority = -110};
}

void host_judge(struct host *host)
{
    struct journey journey = journey_of(host);

    findings_deinit(&host->findings);
    judge_network(&host->findings, &journey);
    judge_firewall(&host->findings, &journey);
    assert_false(host->findings.out_of_memory);
}

const struct findings_line *host_finding(const struct host *host)
{
    const struct findings_line *found = NULL;

    for (size_t i = 0; i < host->findings.count; i++)
        if (host->findings.lines[i].level == LEVEL_FINDING) {
            assert_null(found);
            found = &host->findings.lines[i];
        }
    return found;
}

enum truth host_truth(const struct host *host, const struct firewall_chain *chain, uint16_t port,
                      bool redirected, enum fate fate)
{
    const struct packet_address unknown = {0};
    struct evaluation evaluation;
    struct packet packet;

    packet_init(&packet, NFPROTO_IPV4, &unknown, &unknown, port);
    packet.tracked = true;
    packet.state = NF_CT_STATE_BIT(IP_CT_NEW);
    packet.status = redirected ? IPS_DST_NAT : 0;
    packet.in.index = 2;
    memcpy(packet.in.name, "eth0", sizeof("eth0"));
    evaluate(&host->firewall, chain, &packet, &evaluation);
    return evaluation_truth(&evaluation, fate);
}
