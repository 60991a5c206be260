// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_mark.h>

#include "check/xt.h"

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

#define AMONG(name, names) is_among((name), (names), sizeof(names) / sizeof((names)[0]))

static bool is_notrack(const char *name, const void *info, size_t length)
{
    struct xt_ct_target_info ct; /* the later revision begins alike */

    if (strcmp(name, "NOTRACK") == 0)
        return true;
    if (strcmp(name, "CT") != 0 || length < sizeof(ct.flags))
        return false;
    memcpy(&ct.flags, info, sizeof(ct.flags));
    return ct.flags & XT_CT_NOTRACK;
}

static void set_mark(struct registers *registers, uint32_t revision, const void *info,
                     size_t length)
{
    struct bits *marks = &registers->packet->marks;
    struct xt_mark_tginfo2 mark;
    uint32_t value, known;

    if (revision != 2 || length < sizeof(mark) ||
        truth_and(registers->reach, registers->holds) != TRUTH_YES) {
        bits_forget(marks, 0, 4);
        return;
    }
    memcpy(&mark, info, sizeof(mark));
    memcpy(&value, marks->value, sizeof(value));
    memcpy(&known, marks->known, sizeof(known));
    known |= mark.mask;
    value = ((value & ~mark.mask) ^ mark.mark) & known;
    memcpy(marks->value, &value, sizeof(value));
    memcpy(marks->known, &known, sizeof(known));
}

void xt_target(struct registers *registers, const char *name, uint32_t revision, const void *info,
               size_t length)
{
    static const char *const drops[] = {"REJECT", "TARPIT", "DELUDE", "STEAL", "CHAOS"};
    static const char *const nats[] = {"DNAT", "REDIRECT", "NETMAP"};
    static const char *const accepts[] = {"SNAT", "MASQUERADE"};
    static const char *const neutral[] = {
        "LOG", "NFLOG",   "ULOG",      "TCPMSS", "TCPOPTSTRIP", "CLASSIFY",   "TOS", "DSCP",
        "TTL", "HL",      "AUDIT",     "TRACE",  "CHECKSUM",    "CONNMARK",   "SET", "TEE",
        "LED", "RATEEST", "IDLETIMER", "ECN",    "SECMARK",     "CONNSECMARK"};

    if (is_notrack(name, info, length)) {
        registers->match->notrack = registers->holds;
    } else if (strcmp(name, "TPROXY") == 0) {
        registers->match->tproxy = registers->holds;
        registers_add_verdict(registers, VERDICT_ACCEPT, NULL, TRUTH_YES);
        registers->holds = TRUTH_NO;
    } else if (strcmp(name, "MARK") == 0) {
        set_mark(registers, revision, info, length);
    } else if (strcmp(name, "CT") != 0 && !AMONG(name, neutral)) {
        enum verdict_code code = AMONG(name, drops)              ? VERDICT_DROP
                                 : AMONG(name, nats)             ? VERDICT_DNAT
                                 : AMONG(name, accepts)          ? VERDICT_ACCEPT
                                 : strcmp(name, "NFQUEUE") == 0  ? VERDICT_QUEUE
                                 : strcmp(name, "SYNPROXY") == 0 ? VERDICT_QUEUE
                                                                 : VERDICT_CONTINUE;

        registers_add_verdict(registers, code, NULL,
                              code == VERDICT_CONTINUE ? TRUTH_OPEN : TRUTH_YES);
        registers->holds = TRUTH_NO;
    }
}
