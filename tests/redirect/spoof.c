// SPDX-License-Identifier: GPL-2.0-or-later
#include "spoof.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

void spoof_init(struct spoof *spoof, const struct lab *lab)
{
    spoof->raw4 = lab_socket(lab, LAB_OUTSIDE, AF_INET, SOCK_RAW, IPPROTO_RAW);
    spoof->raw6 = lab_socket(lab, LAB_OUTSIDE, AF_INET6, SOCK_RAW, IPPROTO_RAW);
}

void spoof_deinit(struct spoof *spoof)
{
    close(spoof->raw4);
    close(spoof->raw6);
}

static uint32_t sum_bytes(uint32_t sum, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)at[i] << 8 | at[i + 1];
    return sum;
}

/* Conntrack does not take a packet whose checksum is wrong. */
static void fill_tcp(struct tcphdr *tcp, const void *source, const void *destination, size_t length,
                     uint16_t source_port)
{
    uint32_t sum = IPPROTO_TCP + sizeof(*tcp);

    *tcp = (struct tcphdr){.source = htons(source_port),
                           .dest = htons(LAB_PRODUCTION),
                           .seq = htonl(1),
                           .doff = sizeof(*tcp) / 4,
                           .syn = 1,
                           .window = htons(1024)};
    sum = sum_bytes(sum, source, length);
    sum = sum_bytes(sum, destination, length);
    sum = sum_bytes(sum, tcp, sizeof(*tcp));
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    tcp->check = htons((uint16_t)~sum);
}

static void send4(const struct spoof *spoof, struct in_addr source, struct in_addr destination,
                  uint16_t source_port)
{
    struct {
        struct iphdr ip;
        struct tcphdr tcp;
    } packet = {.ip = {.version = 4,
                       .ihl = 5,
                       .ttl = 64,
                       .protocol = IPPROTO_TCP,
                       .saddr = source.s_addr,
                       .daddr = destination.s_addr}};
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = destination};

    fill_tcp(&packet.tcp, &source, &destination, sizeof(source), source_port);
    assert_int_equal(
        sendto(spoof->raw4, &packet, sizeof(packet), 0, (const struct sockaddr *)&to, sizeof(to)),
        sizeof(packet));
}

static void send6(const struct spoof *spoof, const struct in6_addr *source,
                  const struct in6_addr *destination, uint16_t source_port)
{
    struct {
        struct ip6_hdr ip;
        struct tcphdr tcp;
    } packet = {.ip = {.ip6_src = *source, .ip6_dst = *destination}};
    const struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = *destination};

    packet.ip.ip6_flow = htonl((uint32_t)6 << 28);
    packet.ip.ip6_plen = htons(sizeof(packet.tcp));
    packet.ip.ip6_nxt = IPPROTO_TCP;
    packet.ip.ip6_hlim = 64;
    fill_tcp(&packet.tcp, source, destination, sizeof(*source), source_port);
    assert_int_equal(
        sendto(spoof->raw6, &packet, sizeof(packet), 0, (const struct sockaddr *)&to, sizeof(to)),
        sizeof(packet));
}

void spoof_send(const struct spoof *spoof, const char *source, const char *destination,
                uint16_t source_port)
{
    struct in_addr source4, destination4;
    struct in6_addr source6, destination6;

    if (inet_pton(AF_INET, source, &source4) == 1) {
        assert_int_equal(inet_pton(AF_INET, destination, &destination4), 1);
        send4(spoof, source4, destination4, source_port);
        return;
    }
    assert_int_equal(inet_pton(AF_INET6, source, &source6), 1);
    assert_int_equal(inet_pton(AF_INET6, destination, &destination6), 1);
    send6(spoof, &source6, &destination6, source_port);
}
