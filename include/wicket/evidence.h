// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * What came through a window, and what that says about a challenge that nobody validated: for
 * whoever has to find out, in the middle of the night, why there is no certificate. Pure.
 */
#define EVIDENCE_ADDRESS 64
#define EVIDENCE_TEXT    512

struct evidence {
    uint64_t validations; /* key authorizations served to others than this host */
    uint64_t unknown;     /* requests of others for tokens that nobody registered */
    uint64_t redirected;  /* connections from outside that the kernel sent to the responder */
    uint64_t arrived;     /* those of them that this host's own filter let through */
    uint64_t passed;      /* visitors handed on to production */
    uint64_t turned_away; /* other requests */
    uint32_t addresses;   /* that validations came from */
    char unknown_address[EVIDENCE_ADDRESS]; /* who asked for the last unknown token, or "" */
};

enum evidence_verdict {
    EVIDENCE_NOBODY,   /* nothing was redirected */
    EVIDENCE_BLOCKED,  /* it was, and none of it arrived */
    EVIDENCE_UNKNOWN,  /* somebody asked for a token, but for none of ours */
    EVIDENCE_VISITORS, /* some came, and asked for other things */
    EVIDENCE_ANSWERED, /* a challenge was answered */
};

enum evidence_verdict evidence_judge(const struct evidence *evidence);
/* "nobody", "blocked", "unknown-token", "visitors", "answered". */
const char *evidence_name(enum evidence_verdict verdict);

/*
 * One line without a newline: what is known, what it means, and what to do. `port` is the
 * responder's. For EVIDENCE_ANSWERED it is what to say when the client failed nevertheless. Returns
 * `out`, which has EVIDENCE_TEXT bytes.
 */
char *evidence_describe(char *out, const struct evidence *evidence, uint16_t port);
