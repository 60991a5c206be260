// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A table of iptables-legacy out of any bytes, and a packet through whatever chains come of it: the
 * family, the hooks, ten offsets of two bytes, then the table.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>

#include "check/evaluate.h"
#include "check/legacy.h"
#include "check/rule_text.h"

#define HEAD_BYTES (2 + 2 * 2 * LEGACY_HOOKS)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct firewall *firewall, const struct firewall_chain *chain)
{
    const struct packet_address unknown = {0};
    struct evaluation evaluation;
    struct packet packet;

    packet_init(&packet, chain->family, &unknown, &unknown, 80);
    memcpy(packet.in.name, "eth0", 5);
    packet.tracked = true;
    packet.state = 8;
    evaluate(firewall, chain, &packet, &evaluation);
    assert(evaluation.count > 0 && evaluation.count <= EVALUATION_MAX);
    for (size_t i = 0; i < evaluation.count; i++) {
        char text[RULE_TEXT];

        assert(evaluation.endings[i].truth != TRUTH_NO);
        if (evaluation.endings[i].rule)
            rule_text(text, sizeof(text), firewall, evaluation.endings[i].chain,
                      evaluation.endings[i].rule);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct legacy_table table = {.name = "filter"};
    struct firewall firewall;

    if (size < HEAD_BYTES)
        return 0;
    table.ipv6 = data[0] & 1;
    table.valid_hooks = data[1] & 31;
    for (size_t i = 0; i < LEGACY_HOOKS; i++) {
        table.begin[i] = (unsigned int)(data[2 + 2 * i] | data[3 + 2 * i] << 8);
        table.end[i] = (unsigned int)(data[12 + 2 * i] | data[13 + 2 * i] << 8);
    }
    /* Of its own length, so that a byte behind it is seen to be read; aligned as malloc does. */
    table.length = size - HEAD_BYTES;
    uint8_t *bytes = malloc(table.length > 0 ? table.length : 1);
    if (!bytes)
        abort();
    memcpy(bytes, data + HEAD_BYTES, table.length);
    table.bytes = bytes;
    firewall_init(&firewall);
    legacy_take(&firewall, &table);
    for (size_t i = 0; i < firewall.chain_count; i++)
        if (firewall.chains[i].base)
            walk(&firewall, &firewall.chains[i]);
    firewall_deinit(&firewall);
    free(bytes);
    return 0;
}
