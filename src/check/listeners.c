// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/check.h"
#include "check/sockets.h"

#define SUBJECT "listeners"

/* A browser keeps six connections to a host. */
#define BALANCER_CONNECTIONS 8

struct peer {
    bool ipv6;
    uint8_t address[16];
};

struct listing {
    struct check *check;
    bool production;    /* somebody listens on the redirected port */
    struct peer *peers; /* one for each connection to it */
    size_t peer_count;
};

static void judge_responder_port(struct check *check, const struct socket_entry *entry)
{
    const struct config *config = &check->settings.config;
    char name[64] = "";
    bool known = socket_owner(entry->inode, name, sizeof(name));

    if (known && strncmp(name, "wicket", strlen("wicket")) == 0)
        return;
    if (!known) {
        findings_add(&check->report, LEVEL_NOTE, SUBJECT, NULL, NULL,
                     "somebody listens on port %u: if it is not a responder that runs already, set "
                     "responder.port to another; who it is, is for root to see",
                     config->responder.port);
        return;
    }
    check->responder_port_taken = true;
    findings_add(&check->report, LEVEL_FINDING, SUBJECT, NULL,
                 "set responder.port to a port that is free, or stop that program",
                 "%s listens on port %u, which the responder needs", name, config->responder.port);
}

static void add_peer(struct listing *listing, const struct socket_entry *entry)
{
    enum network_family family = entry->ipv6 ? NETWORK_IPV6 : NETWORK_IPV4;
    size_t count = listing->peer_count;

    /* This host's own connections are not redirected. */
    if (network_has(&listing->check->network, family, entry->remote))
        return;
    if ((count & (count - 1)) == 0) {
        struct peer *larger =
            reallocarray(listing->peers, count == 0 ? 1 : count * 2, sizeof(*larger));

        if (!larger) {
            listing->check->report.out_of_memory = true;
            return;
        }
        listing->peers = larger;
    }
    struct peer *peer = &listing->peers[listing->peer_count++];
    memset(peer, 0, sizeof(*peer));
    peer->ipv6 = entry->ipv6;
    memcpy(peer->address, entry->remote, sizeof(peer->address));
}

static void take(struct listing *listing, const struct socket_entry *entry)
{
    const struct config *config = &listing->check->settings.config;

    if (entry->state == TCP_LISTEN && entry->local_port == config->redirect.port)
        listing->production = true;
    else if (entry->state == TCP_LISTEN && entry->local_port == config->responder.port)
        judge_responder_port(listing->check, entry);
    else if (entry->state == TCP_ESTABLISHED && entry->local_port == config->redirect.port)
        add_peer(listing, entry);
}

static void read_list(struct listing *listing, const char *path, bool ipv6)
{
    FILE *file = fopen(path, "re");
    struct socket_entry entry;
    char line[512];

    while (file && fgets(line, sizeof(line), file))
        if (socket_parse(&entry, line, ipv6))
            take(listing, &entry);
    if (file)
        fclose(file);
}

static int by_address(const void *one, const void *other)
{
    return memcmp(one, other, sizeof(struct peer));
}

/* Who keeps connections open asks over one that is older than the window. */
static void judge_balancer(struct listing *listing)
{
    size_t most = 0, run = 0;
    const struct peer *who = NULL;
    char text[INET6_ADDRSTRLEN];

    if (listing->peer_count > 1)
        qsort(listing->peers, listing->peer_count, sizeof(*listing->peers), by_address);
    for (size_t i = 0; i < listing->peer_count; i++) {
        run = i > 0 && by_address(&listing->peers[i], &listing->peers[i - 1]) == 0 ? run + 1 : 1;
        if (run > most) {
            most = run;
            who = &listing->peers[i];
        }
    }
    if (most < BALANCER_CONNECTIONS || most * 2 <= listing->peer_count)
        return;
    inet_ntop(who->ipv6 ? AF_INET6 : AF_INET, who->address, text, sizeof(text));
    findings_add(
        &listing->check->report, LEVEL_FINDING, "balancer", NULL,
        "exempt /.well-known/acme-challenge/ from connection reuse there",
        "%zu of %zu connections to port %u are of %s, which looks like a load balancer that "
        "keeps them: a validator's request that comes over one goes to production",
        most, listing->peer_count, listing->check->settings.config.redirect.port, text);
}

void check_listeners(struct check *check)
{
    const struct config *config = &check->settings.config;
    struct listing listing = {.check = check};

    read_list(&listing, "/proc/net/tcp", false);
    read_list(&listing, "/proc/net/tcp6", true);
    if (!listing.production && config->other_requests == CONFIG_OTHER_PASS)
        findings_add(
            &check->report, LEVEL_NOTE, SUBJECT, NULL, NULL,
            "nobody listens on port %u of this host itself: visitors who come while a window "
            "is open are reset, unless a DNAT leads to production",
            config->redirect.port);
    judge_balancer(&listing);
    free(listing.peers);
}
