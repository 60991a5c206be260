// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/packet.h"

#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>

/* Who connects from elsewhere does so from a high port. */
#define SOURCE_PORT 50000

#define FLAGS_AT 13
#define SYN      0x02
#define SYN_ACK  0x12

static void set_byte(struct bits *bits, size_t offset, uint8_t value)
{
    bits_set(bits, offset, &value, 1);
}

static void set_port(struct bits *bits, size_t offset, uint16_t port)
{
    uint16_t network = htons(port);

    bits_set(bits, offset, &network, sizeof(network));
}

static void set_address(struct bits *bits, size_t offset, const struct packet_address *address,
                        size_t length)
{
    if (address->known)
        bits_set(bits, offset, address->bytes, length);
}

void packet_init(struct packet *packet, uint8_t family, const struct packet_address *source,
                 const struct packet_address *destination, uint16_t port)
{
    static const uint8_t zero[8] = {0};

    *packet = (struct packet){.family = family, .original_port = port};
    if (family == NFPROTO_IPV4) {
        set_byte(&packet->network, 0, 0x45);
        bits_set(&packet->network, 6, (const uint8_t[]){0x40, 0}, 2); /* no fragment */
        set_byte(&packet->network, 9, IPPROTO_TCP);
        set_address(&packet->network, 12, source, 4);
        set_address(&packet->network, 16, destination, 4);
    } else {
        set_byte(&packet->network, 6, IPPROTO_TCP);
        set_address(&packet->network, 8, source, 16);
        set_address(&packet->network, 24, destination, 16);
    }
    set_port(&packet->transport, 0, SOURCE_PORT);
    set_byte(&packet->transport, FLAGS_AT, SYN);
    packet_set_destination_port(packet, port);
    bits_set(&packet->marks, 0, zero, sizeof(zero));
}

void packet_set_destination_port(struct packet *packet, uint16_t port)
{
    packet->destination_port = port;
    set_port(&packet->transport, 2, port);
}

static void swap(struct bits *bits, size_t one, size_t other, size_t length)
{
    uint8_t kept[16];

    memcpy(kept, bits->value + one, length);
    memcpy(bits->value + one, bits->value + other, length);
    memcpy(bits->value + other, kept, length);
    memcpy(kept, bits->known + one, length);
    memcpy(bits->known + one, bits->known + other, length);
    memcpy(bits->known + other, kept, length);
}

void packet_make_reply(struct packet *packet, uint16_t port)
{
    if (packet->family == NFPROTO_IPV4)
        swap(&packet->network, 12, 16, 4);
    else
        swap(&packet->network, 8, 24, 16);
    set_port(&packet->transport, 0, port);
    set_byte(&packet->transport, FLAGS_AT, SYN_ACK);
    packet_set_destination_port(packet, SOURCE_PORT);
    packet->reply = true;
    packet->state = NF_CT_STATE_BIT(IP_CT_ESTABLISHED);
    packet->status |= IPS_SEEN_REPLY | IPS_CONFIRMED;
}
