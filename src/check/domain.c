// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <string.h>

#include "check/check.h"
#include "check/records.h"

#define SUBJECT "dns"

#define ANSWER_BYTES 65536

/* CAs ask DNS, so that /etc/hosts does not count. False: the reason is in the report. */
static bool ask(struct check *check, const char *domain, int type, struct records *out)
{
    static uint8_t bytes[ANSWER_BYTES];
    struct __res_state state = {0};
    const char *kind = type == ns_t_a ? "A" : "AAAA";

    *out = (struct records){0};
    if (res_ninit(&state) != 0) {
        findings_add(&check->report, LEVEL_NOTE, SUBJECT, NULL, NULL,
                     "/etc/resolv.conf cannot be used, so that no name is looked up");
        return false;
    }
    int length = res_nquery(&state, domain, ns_c_in, type, bytes, sizeof(bytes));
    int reason = state.res_h_errno;
    res_nclose(&state);
    if (length < 0 && (reason == NO_DATA || reason == HOST_NOT_FOUND))
        return true;
    if (length < 0 || (size_t)length > sizeof(bytes) ||
        !records_parse(out, bytes, (size_t)length, (uint16_t)type)) {
        findings_add(&check->report, LEVEL_FINDING, SUBJECT, NULL,
                     "see to the name's servers, and to those in /etc/resolv.conf",
                     "%s: the question for %s records has no answer: %s", domain, kind,
                     length < 0 ? hstrerror(reason) : "what came is no answer");
        return false;
    }
    return true;
}

static bool has_public(const struct network *network, enum network_family family)
{
    for (size_t i = 0; i < network->address_count; i++)
        if (network->addresses[i].family == family && network->addresses[i].global &&
            !network->addresses[i].reserved)
            return true;
    return false;
}

/* Returns how many of the addresses are this host's. */
static size_t judge(struct check *check, const char *domain, enum network_family family,
                    const struct records *records)
{
    const char *kind = family == NETWORK_IPV4 ? "A" : "AAAA";
    size_t own = 0;

    for (size_t i = 0; i < records->count; i++)
        own += network_has(&check->network, family, records->addresses[i]);
    for (size_t i = 0; i < records->count; i++) {
        char text[INET6_ADDRSTRLEN] = "";

        if (network_has(&check->network, family, records->addresses[i]))
            continue;
        inet_ntop(family == NETWORK_IPV4 ? AF_INET : AF_INET6, records->addresses[i], text,
                  sizeof(text));
        /* Behind somebody's NAT the public address is another's. */
        if (family == NETWORK_IPV4 && own == 0 && !has_public(&check->network, family))
            findings_add(
                &check->report, LEVEL_NOTE, SUBJECT, NULL, NULL,
                "%s: A %s is no address of this host, which has no public one: port 80 there "
                "has to lead here",
                domain, text);
        else
            findings_add(&check->report, LEVEL_FINDING, SUBJECT, NULL,
                         family == NETWORK_IPV6 ? "remove that AAAA record, or give this host the "
                                                  "address: validators try IPv6 first"
                                                : "correct that A record",
                         "%s: %s %s is no address of this host", domain, kind, text);
    }
    return own;
}

void check_domain(struct check *check, const char *domain)
{
    struct records v4, v6;

    if (strncmp(domain, "*.", 2) == 0) {
        findings_add(&check->report, LEVEL_FINDING, SUBJECT, NULL, "use DNS-01 for it",
                     "%s: no CA validates a wildcard over HTTP", domain);
        return;
    }
    bool answered4 = ask(check, domain, ns_t_a, &v4);
    bool answered6 = ask(check, domain, ns_t_aaaa, &v6);
    if (answered4 && answered6 && v4.count + v6.count == 0) {
        findings_add(&check->report, LEVEL_FINDING, SUBJECT, NULL,
                     "give it an A or AAAA record with an address of this host",
                     "%s: does not resolve, neither to IPv4 nor to IPv6", domain);
        return;
    }
    size_t own = judge(check, domain, NETWORK_IPV4, &v4) + judge(check, domain, NETWORK_IPV6, &v6);
    if (answered4 && answered6 && own == v4.count + v6.count)
        findings_add(&check->report, LEVEL_GOOD, SUBJECT, NULL, NULL, "%s leads to this host",
                     domain);
}
