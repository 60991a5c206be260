// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "check/evaluate.h"
#include "check/findings.h"
#include "check/journey.h"
#include "check/rule_build.h"

/* A host of which a test makes the rules by hand: one interface eth0 with 203.0.113.80. */

struct host {
    struct firewall firewall;
    struct network network;
    struct config config;
    struct findings findings;
};

void host_init(struct host *host);
void host_deinit(struct host *host);

/* A base chain "input" or the like of table inet filter. */
struct firewall_chain *host_add_base(struct host *host, const char *name, uint32_t hook,
                                     int32_t priority, uint32_t policy);

/* Rules of the common kinds, put together in order; the verdict ends one. */
void rule_port(struct rule_build *build, uint16_t port);
void rule_source(struct rule_build *build, const char *address);
void rule_dnat_status(struct rule_build *build);
void host_add_rule(struct host *host, struct firewall_chain *chain, struct rule_build *build);
/* `tcp dport PORT VERDICT`; port 0: whatever comes. */
void host_add_simple(struct host *host, struct firewall_chain *chain, uint16_t port, uint32_t code);

/* What judge_firewall() says. */
void host_judge(struct host *host);
/* The only finding, or NULL; more than one fails the test. */
const struct findings_line *host_finding(const struct host *host);

/* How likely a fate is for a first packet to `port` at the chain. */
enum truth host_truth(const struct host *host, const struct firewall_chain *chain, uint16_t port,
                      bool redirected, enum fate fate);
