// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <endian.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>

#include "redirect/relay_netlink.h"
#include "redirect/ruleset.h"

/* Without libnftnl, since this runs once or twice for every visitor; a test compares with it. */

/* More than the head of a message takes, and an element of it: 68 bytes in the map of IPv6. */
#define MESSAGE_ROOM 128
#define ELEMENT_ROOM 96
/* A list of elements is one attribute, of 64 KiB at most. */
#define RELAYS_A_MESSAGE 512

struct family {
    int number;
    size_t address; /* its length */
    const char *map;
};

static const struct family families[REDIRECT_FAMILIES] = {
    [REDIRECT_IPV4] = {AF_INET, 4, RULESET_MAP_RELAY4},
    [REDIRECT_IPV6] = {AF_INET6, 16, RULESET_MAP_RELAY6},
};

/* With the padding, which libmnl leaves as it is. */
static void put_name(struct nlmsghdr *header, uint16_t type, const char *name)
{
    memset(mnl_nlmsg_get_payload_tail(header), 0, sizeof(struct nlattr) + strlen(name) + 1 + 3);
    mnl_attr_put_strz(header, type, name);
}

static void put_value(struct nlmsghdr *header, uint16_t type, const void *value, size_t length)
{
    struct nlattr *nest = mnl_attr_nest_start(header, type);

    mnl_attr_put(header, NFTA_DATA_VALUE, length, value);
    mnl_attr_nest_end(header, nest);
}

/* SOURCE . PORT, with `added` its timeout and ": VISITOR" too. */
static void put_element(struct nlmsghdr *header, const struct family *family, bool added,
                        const struct redirect_relay *relay)
{
    uint16_t port = htons(relay->port);
    uint8_t key[16 + 4] = {0}; /* each part is padded to four bytes */

    memcpy(key, relay->source, family->address);
    memcpy(key + family->address, &port, sizeof(port));
    if (added)
        mnl_attr_put_u64(header, NFTA_SET_ELEM_TIMEOUT, htobe64(REDIRECT_RELAY_MS));
    put_value(header, NFTA_SET_ELEM_KEY, key, family->address + 4);
    if (added)
        put_value(header, NFTA_SET_ELEM_DATA, relay->visitor, family->address);
}

/* The relays of one family, `wanted` of all `count`. */
static void put_message(struct batch *batch, const struct family *family, bool added,
                        const struct redirect_relay *relays, size_t count, size_t wanted)
{
    struct nlmsghdr *header = batch_begin_message(
        batch, added ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
        added ? NLM_F_CREATE | NLM_F_EXCL : 0, MESSAGE_ROOM + wanted * ELEMENT_ROOM,
        (struct batch_object){.kind = "map", .name = family->map});
    uint16_t element = 0;

    if (!header)
        return;
    put_name(header, NFTA_SET_ELEM_LIST_SET, family->map);
    put_name(header, NFTA_SET_ELEM_LIST_TABLE, REDIRECT_TABLE);
    struct nlattr *list = mnl_attr_nest_start(header, NFTA_SET_ELEM_LIST_ELEMENTS);
    for (size_t i = 0; i < count; i++) {
        if (relays[i].family != family->number)
            continue;
        struct nlattr *nest = mnl_attr_nest_start(header, ++element);
        put_element(header, family, added, &relays[i]);
        mnl_attr_nest_end(header, nest);
    }
    mnl_attr_nest_end(header, list);
    batch_end_message(batch);
}

static void put_relays(struct batch *batch, bool added, const struct redirect_relay *relays,
                       size_t count)
{
    for (size_t f = 0; f < REDIRECT_FAMILIES; f++) {
        size_t wanted = 0;

        for (size_t i = 0; i < count; i++)
            wanted += relays[i].family == families[f].number;
        if (wanted > 0)
            put_message(batch, &families[f], added, relays, count, wanted);
    }
}

static void put_all(struct batch *batch, bool added, const struct redirect_relay *relays,
                    size_t count)
{
    for (size_t done = 0; done < count; done += RELAYS_A_MESSAGE)
        put_relays(batch, added, relays + done,
                   count - done < RELAYS_A_MESSAGE ? count - done : RELAYS_A_MESSAGE);
}

/* add element inet wicket relay4 { SOURCE . PORT timeout 30s : VISITOR } */
void relay_netlink_add(struct batch *batch, const struct redirect_relay *relays, size_t count)
{
    put_all(batch, true, relays, count);
}

/* delete element inet wicket relay4 { SOURCE . PORT } */
void relay_netlink_remove(struct batch *batch, const struct redirect_relay *relays, size_t count)
{
    put_all(batch, false, relays, count);
}
