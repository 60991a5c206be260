// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/judge.h"

#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>

#include "check/judge_text.h"

#define SUBJECT "firewall"

struct judgement {
    struct findings *report;
    const struct journey *journey;
    const struct traveller *traveller;
    char scope[64];
};

static void say(const struct judgement *judgement, enum findings_level level, const char *mend,
                const struct ending *ending, const char *what)
{
    char place[JUDGE_TEXT];

    findings_add(judgement->report, level, SUBJECT, judgement->scope, mend, "%s %s",
                 judge_place(place, sizeof(place), judgement->journey->firewall, ending), what);
}

/* How a chain's decision looks to somebody whom nothing singles out. */
enum typical { TYPICAL_PASSES, TYPICAL_MAY_DROP, TYPICAL_DROPS };

static enum typical typical_of(const struct evaluation *evaluation)
{
    enum truth drop = evaluation_truth(evaluation, FATE_DROP);

    /* Whatever is open about the way there: it ends nowhere else. */
    bool only = drop == TRUTH_OPEN && evaluation_truth(evaluation, FATE_ACCEPT) < TRUTH_OPEN &&
                evaluation_truth(evaluation, FATE_DNAT) < TRUTH_OPEN &&
                evaluation_truth(evaluation, FATE_QUEUE) < TRUTH_OPEN;

    if (drop >= TRUTH_LIKELY || only)
        return TYPICAL_DROPS;
    return drop == TRUTH_OPEN ? TYPICAL_MAY_DROP : TYPICAL_PASSES;
}

/* What any chain on the way may do. Returns whether the packet goes on. */
static bool judge_common(const struct judgement *judgement, const struct evaluation *evaluation,
                         const char *mend, const char *dropping)
{
    const struct ending *ending = evaluation_find(evaluation, FATE_FORWARD);
    enum typical typical = typical_of(evaluation);

    if (ending && ending->truth >= TRUTH_LIKELY) {
        say(judgement, LEVEL_FINDING, "take port 80 of this host out of that rule", ending,
            "sends new connections for port 80 out again, before they can be redirected");
        return false;
    }
    ending = evaluation_find(evaluation, FATE_QUEUE);
    if (ending && ending->truth >= TRUTH_LIKELY)
        say(judgement, LEVEL_NOTE, NULL, ending,
            "leaves the decision to a program, which is not looked at");
    ending = evaluation_find(evaluation, FATE_DROP);
    if (typical == TYPICAL_MAY_DROP)
        say(judgement, LEVEL_NOTE, NULL, ending,
            "may drop them: some of the rules there are beyond this check, so try a renewal with "
            "the CA's staging server");
    else if (typical == TYPICAL_DROPS)
        say(judgement, LEVEL_FINDING, mend, ending, dropping);
    return typical != TYPICAL_DROPS;
}

static void run(const struct judgement *judgement, const struct firewall_chain *chain,
                struct packet *packet, struct evaluation *evaluation)
{
    journey_track(packet, chain);
    evaluate(judgement->journey->firewall, chain, packet, evaluation);
}

static bool judge_notrack(const struct judgement *judgement, const struct evaluation *evaluation,
                          const char *what)
{
    const struct ending *ending = evaluation_find(evaluation, FATE_NOTRACK);

    if (!ending || ending->truth < TRUTH_OPEN)
        return false;
    say(judgement, LEVEL_FINDING, "take it out, or except TCP port 80 and the loopback from it",
        ending, what);
    return true;
}

/* Somebody else's DNAT or TPROXY, in a chain that comes before ours or beside it. */
static void judge_rivals(const struct judgement *judgement, const struct evaluation *evaluation)
{
    const struct journey *journey = judgement->journey;
    bool redirected = journey->config->redirect.method == CONFIG_METHOD_REDIRECT;
    const struct ending *dnat = evaluation_find(evaluation, FATE_DNAT);
    const struct ending *tproxy = evaluation_find(evaluation, FATE_TPROXY);
    char mend[JUDGE_TEXT];

    if (dnat && dnat->truth >= TRUTH_LIKELY) {
        if (!redirected)
            snprintf(mend, sizeof(mend), "redirect.method: redirect in %.300s",
                     journey->config->path);
        else
            snprintf(mend, sizeof(mend), "give the chain %s %s a priority above %d, such as -100",
                     evaluation->base->table, evaluation->base->name,
                     (int)journey->redirect_priority);
        if (evaluation->base->priority < journey->redirect_priority)
            say(judgement, LEVEL_FINDING, mend, dnat,
                "wins over the redirect: it sends port 80 elsewhere before");
        else
            say(judgement, LEVEL_NOTE, mend, dnat,
                "has the redirect's own priority: loaded while a window is open, it wins over it");
    }
    if (tproxy && tproxy->truth >= TRUTH_LIKELY)
        say(judgement, LEVEL_FINDING, "take port 80 out of that rule", tproxy,
            "hands new connections for port 80 to another socket, which wins over the redirect");
}

/* Up to and behind the redirect. Returns whether the packet reaches the input hook. */
static bool judge_before_input(const struct judgement *judgement, enum stage stage,
                               struct packet *packet)
{
    const struct firewall_chain *chains[JOURNEY_CHAINS_MAX];
    size_t count = journey_chains(judgement->journey, stage, judgement->traveller, chains);
    bool redirected = judgement->journey->config->redirect.method == CONFIG_METHOD_REDIRECT;
    struct evaluation evaluation;

    for (size_t i = 0; i < count; i++) {
        run(judgement, chains[i], packet, &evaluation);
        if (stage == STAGE_PREROUTING && redirected &&
            judge_notrack(judgement, &evaluation,
                          "keeps connection tracking away from port 80: nothing can be redirected"))
            return false;
        if (stage == STAGE_PREROUTING)
            judge_rivals(judgement, &evaluation);
        if (!judge_common(judgement, &evaluation,
                          stage == STAGE_REDIRECTED && redirected
                              ? "let in there what has ct status dnat, before that rule"
                              : "let in there TCP port 80 of this host, before that rule",
                          stage == STAGE_REDIRECTED
                              ? "drops what was redirected"
                              : "drops new connections for port 80 before the redirect"))
            return false;
    }
    return true;
}

/* Everybody whom the input hook drops, and on the whole whether a stranger gets through. */
struct reception {
    struct ending drops[EVALUATION_MAX];
    size_t drop_count;
    bool admitted; /* a stranger gets through */
};

static bool receive(const struct judgement *judgement, struct packet *packet, bool judged,
                    struct reception *out)
{
    const struct journey *journey = judgement->journey;
    const struct firewall_chain *chains[JOURNEY_CHAINS_MAX];
    size_t count = journey_chains(journey, STAGE_INPUT, judgement->traveller, chains);
    struct evaluation evaluation;
    char mend[JUDGE_TEXT];
    bool goes_on = true;

    out->drop_count = 0;
    for (size_t i = 0; i < count && goes_on; i++) {
        if (judged && judge_is_admitted(journey->config, chains[i]))
            continue;
        run(judgement, chains[i], packet, &evaluation);
        for (size_t j = 0; j < evaluation.count && out->drop_count < EVALUATION_MAX; j++)
            if (evaluation.endings[j].fate == FATE_DROP)
                out->drops[out->drop_count++] = evaluation.endings[j];
        goes_on = judged ? judge_common(judgement, &evaluation,
                                        judge_admission(mend, sizeof(mend), journey, chains[i],
                                                        judgement->traveller->family),
                                        "drops what a window redirects")
                         : typical_of(&evaluation) != TYPICAL_DROPS;
    }
    out->admitted = goes_on;
    return goes_on;
}

static bool drops_too(const struct reception *reception, const struct ending *wanted)
{
    for (size_t i = 0; i < reception->drop_count; i++) {
        const struct ending *one = &reception->drops[i];

        if (one->chain == wanted->chain && one->rule == wanted->rule &&
            (one->truth >= wanted->truth || one->truth >= TRUTH_LIKELY))
            return true;
    }
    return false;
}

/* A rule that slows down instead of keeping out. */
static int find_limit(struct nftnl_expr *expression, void *context)
{
    static const char *const limits[] = {"limit", "connlimit", "quota", "dynset"};
    const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);
    bool *found = context;

    if (strcmp(name, "match") == 0 && nftnl_expr_is_set(expression, NFTNL_EXPR_MT_NAME))
        *found |= strstr(nftnl_expr_get_str(expression, NFTNL_EXPR_MT_NAME), "limit") != NULL ||
                  strcmp(nftnl_expr_get_str(expression, NFTNL_EXPR_MT_NAME), "recent") == 0;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        *found |= strcmp(name, limits[i]) == 0;
    return 0;
}

static bool is_limit(const struct ending *ending)
{
    bool found = false;

    if (ending->rule)
        nftnl_expr_foreach((struct nftnl_rule *)ending->rule, find_limit, &found);
    return found;
}

/* What prerouting does to a packet that is not redirected; above all its marks. */
static void travel(const struct judgement *judgement, struct packet *packet)
{
    static const enum stage stages[] = {STAGE_PREROUTING, STAGE_REDIRECTED};
    const struct firewall_chain *chains[JOURNEY_CHAINS_MAX];
    struct evaluation evaluation;

    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        size_t count = journey_chains(judgement->journey, stages[i], judgement->traveller, chains);

        for (size_t j = 0; j < count; j++)
            run(judgement, chains[j], packet, &evaluation);
    }
}

/* Who may not reach port 80, but reaches the responder, and perhaps production by way of it. */
static void judge_overruled(const struct judgement *judgement, const struct reception *redirected)
{
    const struct config *config = judgement->journey->config;
    struct reception port, passed;
    struct packet packet;
    char mend[JUDGE_TEXT];

    journey_begin(judgement->journey, judgement->traveller, &packet);
    travel(judgement, &packet);
    receive(judgement, &packet, false, &port);
    journey_pass(judgement->journey, judgement->traveller, &packet);
    travel(judgement, &packet);
    receive(judgement, &packet, false, &passed);
    snprintf(mend, sizeof(mend), "other_requests: not-found in %.300s%s", config->path,
             config->redirect.admit_count == 0 ? ", or redirect.method: tproxy" : "");
    for (size_t i = 0; i < port.drop_count; i++) {
        const struct ending *ending = &port.drops[i];
        bool to_production = config->other_requests == CONFIG_OTHER_PASS &&
                             !drops_too(&passed, ending) && !is_limit(ending);

        if (drops_too(redirected, ending))
            continue;
        if (to_production)
            say(judgement, LEVEL_FINDING, mend, ending,
                "keeps some from port 80 who reach production through a window");
        else
            say(judgement, LEVEL_NOTE, NULL, ending,
                "keeps some from port 80; while a window is open they reach the responder, and "
                "nothing behind it");
    }
}

static void judge_answer(const struct judgement *judgement)
{
    const struct firewall_chain *chains[JOURNEY_CHAINS_MAX];
    size_t count = journey_chains(judgement->journey, STAGE_OUTPUT, judgement->traveller, chains);
    struct evaluation evaluation;
    struct packet packet;
    char mend[JUDGE_TEXT];

    journey_answer(judgement->journey, judgement->traveller, &packet);
    for (size_t i = 0; i < count; i++) {
        run(judgement, chains[i], &packet, &evaluation);
        if (judge_notrack(judgement, &evaluation,
                          "keeps connection tracking away from the responder's answers"))
            return;
        snprintf(mend, sizeof(mend), "nft insert rule %s %s %s ct state established accept",
                 firewall_family(chains[i]->family), chains[i]->table, chains[i]->name);
        if (!judge_common(judgement, &evaluation, mend, "drops the responder's answers"))
            return;
    }
}

/* Whether production is elsewhere: a DNAT behind the redirect, for whoever is not redirected. */
static bool find_dnat(const struct judgement *judgement, struct ending *out)
{
    const struct firewall_chain *chains[JOURNEY_CHAINS_MAX];
    size_t count =
        journey_chains(judgement->journey, STAGE_REDIRECTED, judgement->traveller, chains);
    struct evaluation evaluation;
    struct packet packet;

    journey_begin(judgement->journey, judgement->traveller, &packet);
    for (size_t i = 0; i < count; i++) {
        run(judgement, chains[i], &packet, &evaluation);
        const struct ending *dnat = evaluation_find(&evaluation, FATE_DNAT);
        if (dnat && dnat->truth >= TRUTH_LIKELY) {
            *out = *dnat;
            return true;
        }
    }
    return false;
}

/* The pass goes over the loopback: neither may it be kept from connection tracking there, nor may
 * production be reached from outside alone. Returns whether it is tracked; *dnat: some chain sends
 * it elsewhere. */
static bool judge_own(const struct judgement *judgement, enum stage stage, struct packet *packet,
                      bool *dnat)
{
    const struct firewall_chain *chains[JOURNEY_CHAINS_MAX];
    size_t count = journey_chains(judgement->journey, stage, judgement->traveller, chains);
    struct evaluation evaluation;

    for (size_t i = 0; i < count; i++) {
        run(judgement, chains[i], packet, &evaluation);
        *dnat |= evaluation_truth(&evaluation, FATE_DNAT) >= TRUTH_OPEN;
        if (judge_notrack(judgement, &evaluation,
                          "keeps connection tracking away from the loopback: visitors cannot be "
                          "passed on with their own address"))
            return false;
    }
    return true;
}

static void judge_pass(const struct judgement *judgement, const struct ending *outside)
{
    struct packet packet;
    bool own = false, ignored = false;

    journey_own(judgement->journey, judgement->traveller, &packet);
    if (!judge_own(judgement, STAGE_OUTPUT, &packet, &own))
        return;
    journey_pass(judgement->journey, judgement->traveller, &packet);
    if (judge_own(judgement, STAGE_PREROUTING, &packet, &ignored) && outside && !own)
        say(judgement, LEVEL_FINDING,
            "add its like in the output hook, or set other_requests: not-found", outside,
            "sends visitors to production, but connections of this host itself are not sent there: "
            "visitors cannot be passed on");
}

void judge_traveller(struct findings *report, const struct journey *journey,
                     const struct traveller *traveller)
{
    struct judgement judgement = {.report = report, .journey = journey, .traveller = traveller};
    struct reception redirected;
    struct packet packet;
    struct ending dnat;

    judge_scope(judgement.scope, sizeof(judgement.scope), traveller);
    bool elsewhere = find_dnat(&judgement, &dnat);
    if (journey->config->other_requests == CONFIG_OTHER_PASS)
        judge_pass(&judgement, elsewhere ? &dnat : NULL);
    journey_begin(journey, traveller, &packet);
    if (!judge_before_input(&judgement, STAGE_INGRESS, &packet) ||
        !judge_before_input(&judgement, STAGE_PREROUTING, &packet))
        return;
    journey_redirect(journey, &packet);
    if (!judge_before_input(&judgement, STAGE_REDIRECTED, &packet))
        return;
    bool admitted = receive(&judgement, &packet, true, &redirected);
    /* What goes elsewhere is forwarded: the input hook says nothing about it. */
    if (admitted && !elsewhere && journey->config->redirect.method == CONFIG_METHOD_REDIRECT)
        judge_overruled(&judgement, &redirected);
    judge_answer(&judgement);
}
