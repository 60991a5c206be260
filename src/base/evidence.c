// SPDX-License-Identifier: GPL-2.0-or-later
#include "wicket/evidence.h"

#include <inttypes.h>
#include <stdio.h>

enum evidence_verdict evidence_judge(const struct evidence *evidence)
{
    if (evidence->validations > 0)
        return EVIDENCE_ANSWERED;
    if (evidence->unknown > 0)
        return EVIDENCE_UNKNOWN;
    if (evidence->arrived > 0)
        return EVIDENCE_VISITORS;
    return evidence->redirected > 0 ? EVIDENCE_BLOCKED : EVIDENCE_NOBODY;
}

const char *evidence_name(enum evidence_verdict verdict)
{
    switch (verdict) {
    case EVIDENCE_NOBODY:
        return "nobody";
    case EVIDENCE_BLOCKED:
        return "blocked";
    case EVIDENCE_UNKNOWN:
        return "unknown-token";
    case EVIDENCE_VISITORS:
        return "visitors";
    case EVIDENCE_ANSWERED:
        return "answered";
    }
    return "nobody";
}

static const char *s(uint64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

char *evidence_describe(char *out, const struct evidence *evidence, uint16_t port)
{
    switch (evidence_judge(evidence)) {
    case EVIDENCE_NOBODY:
        snprintf(
            out, EVIDENCE_TEXT,
            "nobody came: not one connection from outside reached port 80 of this host while "
            "the window was open; the CA's requests end before it: look at DNS (A and AAAA), a "
            "firewall or port forwarding in front, and routing; wicket check DOMAIN helps");
        break;
    case EVIDENCE_BLOCKED:
        snprintf(out, EVIDENCE_TEXT,
                 "%" PRIu64 " %s came and none arrived: this host's own firewall drops what is "
                 "redirected to port %u; let in \"ct status dnat tcp dport %u accept\", see "
                 "README.md, Behind a firewall",
                 evidence->redirected, s(evidence->redirected, "connection", "connections"), port,
                 port);
        break;
    case EVIDENCE_UNKNOWN:
        snprintf(out, EVIDENCE_TEXT,
                 "%" PRIu64 " %s for a token that nobody registered here, the last from %s, and "
                 "none for one that was: does the client's hook run for this name, to its end, and "
                 "on this host? does another client order for the same name?",
                 evidence->unknown, s(evidence->unknown, "request came", "requests came"),
                 evidence->unknown_address[0] != '\0' ? evidence->unknown_address : "?");
        break;
    case EVIDENCE_VISITORS:
        snprintf(out, EVIDENCE_TEXT,
                 "%" PRIu64 " %s, but none asked for a challenge: visitors reach port 80 of this "
                 "host, the CA does not: look at DNS (A and AAAA), at a proxy in front that keeps "
                 "its connections to production, and at who is let in from where; wicket check "
                 "DOMAIN helps",
                 evidence->arrived, s(evidence->arrived, "connection came", "connections came"));
        break;
    case EVIDENCE_ANSWERED:
        snprintf(out, EVIDENCE_TEXT,
                 "the challenge was answered, %" PRIu64 " %s to %" PRIu32 " %s, and still it "
                 "failed: this host was reached. The CA says why in the client's own output: often "
                 "another ACME account than the one the token was for, or one of its validators "
                 "that comes by a way of its own, such as an AAAA record of another host",
                 evidence->validations, s(evidence->validations, "time", "times"),
                 evidence->addresses, s(evidence->addresses, "address", "addresses"));
        break;
    }
    return out;
}
