// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/request.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "keeper/evidence.h"
#include "keeper/keeper.h"
#include "keeper/probe.h"
#include "keeper/serve.h"
#include "keeper/status.h"
#include "keeper/webroot_tokens.h"
#include "wicket/duration.h"
#include "wicket/log.h"

enum { WINDOW_WAIT_MS = 20000, READY_WAIT_MS = 10000, SETTLE_MS = 1000, FRESH_WAIT_MS = 1000 };

static void park(struct peer *peer, enum peer_wait wait, uint64_t wait_ms)
{
    peer->wait = wait;
    peer->wait_sequence = window_ping_sequence(&peer->keeper->window);
    peer->wait_until_ms = event_now_ms() + wait_ms;
    peer->wait_refusals = peer->keeper->refusals;
    peer->wait_ended = NULL;
}

static void refuse(struct peer *peer, enum window_refusal refusal, uint64_t until_ms)
{
    uint64_t now_ms = event_now_ms();
    char wait[DURATION_TEXT];

    duration_describe(wait, sizeof(wait), until_ms > now_ms ? until_ms - now_ms : 0);
    switch (refusal) {
    case WINDOW_REFUSED_QUOTA:
        peer_result(peer, EX_TEMPFAIL,
                    "uid %u has %d tokens registered already, which is all it may; remove some",
                    (unsigned int)peer->uid, WINDOW_TOKENS_PER_UID);
        break;
    case WINDOW_REFUSED_PENALTY:
        peer_result(peer, EX_TEMPFAIL,
                    "a window of uid %u ran into window.limit; it may open the next one in %s",
                    (unsigned int)peer->uid, wait);
        break;
    case WINDOW_REFUSED_BLOCKED:
        peer_result(peer, EX_TEMPFAIL, "%s; no window is opened for another %s",
                    peer->keeper->trouble, wait);
        break;
    case WINDOW_REFUSED_STOPPING:
        peer_result(peer, EX_TEMPFAIL, "the keeper is leaving; try again");
        break;
    case WINDOW_REFUSED_MEMORY:
        peer_result(peer, EX_TEMPFAIL, "the keeper ran out of memory");
        break;
    case WINDOW_ACCEPTED:
        break;
    }
}

static const char *refusal_text(enum window_refusal refusal)
{
    switch (refusal) {
    case WINDOW_REFUSED_QUOTA:
        return "quota";
    case WINDOW_REFUSED_PENALTY:
        return "penalty";
    case WINDOW_REFUSED_BLOCKED:
        return "blocked";
    case WINDOW_REFUSED_STOPPING:
        return "stopping";
    case WINDOW_REFUSED_MEMORY:
    case WINDOW_ACCEPTED:
        break;
    }
    return "memory";
}

static void note_refused(const struct peer *peer, const char *purpose, const char *why)
{
    const struct ledger_refused refused = {peer->uid, peer->pid, purpose, why};

    ledger_note_refused(peer->keeper, &refused);
}

/* NULL after it has answered the peer. */
static struct window_reason *begin(struct peer *peer, enum window_kind kind, uint64_t deadline_ms,
                                   const char *purpose, const struct challenge *challenge)
{
    uint64_t until_ms;
    struct window_reason *reason = window_reason_new(kind, peer->uid, deadline_ms, purpose);

    if (reason != NULL)
        reason->pid = peer->pid;
    enum window_refusal refusal = serve_begin(peer->keeper, reason, challenge, &until_ms);
    if (refusal != WINDOW_ACCEPTED) {
        note_refused(peer, purpose, refusal_text(refusal));
        refuse(peer, refusal, until_ms);
        return NULL;
    }
    return reason;
}

bool request_account_admitted(const struct config *config, const struct challenge *challenge)
{
    bool admitted = config->tokens.account_count == 0;

    for (size_t i = 0; i < config->tokens.account_count && !admitted; i++)
        admitted = strcmp(config->tokens.accounts[i], challenge_thumbprint(challenge)) == 0;
    return admitted;
}

static void handle_add(struct peer *peer, const struct control_add *add)
{
    struct keeper *keeper = peer->keeper;
    struct challenge challenge;
    struct error error;

    if (challenge_parse(&challenge, add->key_authorization, strlen(add->key_authorization),
                        &error) < 0) {
        peer_result(peer, error.exit_code, "%s", error.text);
        return;
    }
    if (!request_account_admitted(keeper->config, &challenge)) {
        note_refused(peer, add->purpose, "account");
        peer_result(peer, EX_NOPERM,
                    "the ACME account with thumbprint %s is not among tokens.accounts in %s",
                    challenge_thumbprint(&challenge), keeper->config->path);
        return;
    }
    const struct token *token = tokens_find(&keeper->tokens, challenge.token);
    if (token != NULL && !token_is_of(token, &challenge)) {
        note_refused(peer, add->purpose, "conflict");
        peer_result(peer, EX_DATAERR,
                    "token %s is registered already, for another ACME account (thumbprint %s)",
                    challenge.token, token->thumbprint->text);
        return;
    }

    if (config_redirects_nobody(keeper->config)) {
        peer_result(peer, EX_CONFIG,
                    "%s has no source, so that nobody is redirected and no validator would find "
                    "the token: name those who validate in it, or leave redirect.sources_file out",
                    keeper->config->redirect.sources_file);
        return;
    }

    uint64_t now_ms = event_now_ms();
    uint64_t deadline_ms = now_ms + keeper->config->window.token_lifetime_ms;
    struct window_reason *reason = token == NULL ? NULL : token_holder(token, peer->uid);
    if (reason != NULL) {
        serve_token(keeper, token);
        window_again(&keeper->window, now_ms, reason, deadline_ms);
        ledger_note_reason(keeper, reason);
    } else {
        reason = begin(peer, WINDOW_TOKEN, deadline_ms, add->purpose, &challenge);
        if (reason == NULL)
            return;
    }
    keeper->tokens_total++;
    /* The same again is no news. */
    if (reason->count == 1 && request_log_take(&keeper->request_log, peer->uid, now_ms))
        log_info("token %s registered by uid %u pid %d (%s)", challenge.token,
                 (unsigned int)peer->uid, (int)peer->pid, add->purpose);
    peer->warning[0] = '\0';
    park(peer, PEER_WAIT_WINDOW, WINDOW_WAIT_MS);
    peer->reason = reason;
}

static void handle_remove(struct peer *peer, const struct control_remove *remove)
{
    struct keeper *keeper = peer->keeper;
    struct token *token = tokens_find(&keeper->tokens, remove->token);

    if (token == NULL) {
        if (keeper->trouble[0] != '\0')
            peer_result(peer, 0, "%s", keeper->trouble);
        else
            peer_result(peer, 0, "token %s is not registered: it was removed, or its time was up",
                        remove->token);
        return;
    }
    struct window_reason *reason = token_holder(token, peer->uid);
    const struct window_reason *other = token_any_holder(token);
    if (reason == NULL && peer->uid == 0)
        reason = token_any_holder(token);
    if (reason == NULL && other == NULL) {
        peer_result(peer, 0,
                    "token %s was registered by nobody: it is a file in the webroot, which ends it "
                    "when it is removed",
                    token->name);
        return;
    }
    if (reason == NULL) {
        peer_result(peer, EX_NOPERM,
                    "token %s was registered by uid %u; only that user and root can remove it",
                    token->name, (unsigned int)other->uid);
        return;
    }
    snprintf(peer->warning, sizeof(peer->warning), "%s", keeper->trouble);
    peer->explain = remove->explain != 0 && !token->validated && reason->count == 1;
    window_release(&keeper->window, event_now_ms(), reason);
    park(peer, PEER_WAIT_ENDED, FRESH_WAIT_MS);
}

static void handle_open(struct peer *peer, const struct control_open *open)
{
    struct keeper *keeper = peer->keeper;
    uint64_t limit_ms = keeper->config->window.limit_ms;
    size_t count = 0;

    for (const struct window_reason *one = keeper->window.reasons; one != NULL; one = one->next)
        count += one->kind == WINDOW_HAND && one->uid == peer->uid;
    if (count >= PEER_OPEN_PER_UID) {
        peer_result(peer, EX_TEMPFAIL, "uid %u has opened %zu windows already; see wicket close",
                    (unsigned int)peer->uid, count);
        return;
    }

    uint64_t deadline_ms = WINDOW_FOREVER;
    if (open->duration_ms != 0 && open->duration_ms <= limit_ms)
        deadline_ms = event_now_ms() + open->duration_ms;
    peer->warning[0] = '\0';
    if (open->duration_ms > limit_ms) {
        char limit[DURATION_TEXT];
        snprintf(peer->warning, sizeof(peer->warning),
                 "window.limit shuts it %s after the window opened",
                 duration_format(limit, sizeof(limit), limit_ms));
    }
    if (config_redirects_nobody(keeper->config))
        snprintf(peer->warning, sizeof(peer->warning), "%s has no source: nobody is redirected",
                 keeper->config->redirect.sources_file);
    struct window_reason *reason = begin(peer, WINDOW_HAND, deadline_ms, open->purpose, NULL);
    if (reason == NULL)
        return;
    park(peer, PEER_WAIT_WINDOW, WINDOW_WAIT_MS);
    peer->reason = reason;
}

static void handle_close(struct peer *peer)
{
    struct keeper *keeper = peer->keeper;
    struct window_reason *next;

    for (struct window_reason *one = keeper->window.reasons; one != NULL; one = next) {
        next = one->next;
        if (one->kind == WINDOW_HAND && (one->uid == peer->uid || peer->uid == 0))
            window_finish(&keeper->window, event_now_ms(), one, WINDOW_END_REMOVED);
    }
    peer->warning[0] = '\0';
    if (keeper->window.reason_count != 0)
        snprintf(peer->warning, sizeof(peer->warning),
                 "the window stays open: %zu other reasons, see wicket status",
                 keeper->window.reason_count);
    park(peer, PEER_WAIT_ENDED, FRESH_WAIT_MS);
}

static void handle_arm(struct peer *peer, const struct control_arm *arm)
{
    struct keeper *keeper = peer->keeper;

    struct redirect_counters table = {0};

    redirect_read_connections(keeper->redirect, &table, NULL);
    struct redirect_count sum = redirect_count_sum(&table);
    peer->is_armed = true;
    peer->baseline = (struct peer_baseline){
        .windows = keeper->window.windows,
        .open_ms = window_open_total_ms(&keeper->window, event_now_ms()),
        .tokens = keeper->tokens_total,
        .validations = keeper_validations(keeper),
        .turned_away = keeper_turned_away(keeper),
        .passed = keeper_passed(keeper),
        .validators = keeper->validators.count,
        .unknown = keeper_unknown(keeper),
        .redirected = sum.redirected,
        .arrived = sum.arrived,
        .troubles = keeper->troubles,
        .was_open = keeper->window.state == WINDOW_OPEN,
    };
    webroot_tokens_complete(keeper, peer->warning, sizeof(peer->warning));
    if (arm->open == 0) {
        park(peer, PEER_WAIT_RESPONDER, READY_WAIT_MS);
        return;
    }
    if (peer->run != NULL) {
        peer_result(peer, 0, "%s", peer->warning);
        return;
    }
    peer->run = begin(peer, WINDOW_RUN, WINDOW_FOREVER, arm->purpose, NULL);
    if (peer->run == NULL)
        return;
    park(peer, PEER_WAIT_WINDOW, WINDOW_WAIT_MS);
    peer->reason = peer->run;
}

static void handle_probe(struct peer *peer, const union control_message *request)
{
    struct keeper *keeper = peer->keeper;
    union control_message message;
    struct error error;
    int fd;

    control_message_init(&message, CONTROL_SOCKET);
    int result = request->header.type == CONTROL_PROBE_AT
                     ? probe_connect_at(&fd, &message.socket, keeper->redirect, keeper->config,
                                        request->probe_at.address, &error)
                     : probe_connect(&fd, &message.socket, keeper->redirect, keeper->config,
                                     request->probe.family, request->probe.loopback != 0, &error);
    if (result < 0) {
        peer_result(peer, error.exit_code, "%s", error.text);
        return;
    }
    peer_send(peer, &message, fd);
    if (fd >= 0)
        close(fd);
    peer_result(peer, 0, "%s", "");
}

bool request_handle(struct peer *peer, const union control_message *message)
{
    struct window *window = &peer->keeper->window;

    switch (message->header.type) {
    case CONTROL_ADD:
        handle_add(peer, &message->add);
        return true;
    case CONTROL_REMOVE:
        handle_remove(peer, &message->remove);
        return true;
    case CONTROL_OPEN:
        handle_open(peer, &message->open);
        return true;
    case CONTROL_CLOSE:
        handle_close(peer);
        return true;
    case CONTROL_ARM:
        handle_arm(peer, &message->arm);
        return true;
    case CONTROL_PROBE:
    case CONTROL_PROBE_AT:
        handle_probe(peer, message);
        return true;
    case CONTROL_SETTLE:
        park(peer, PEER_WAIT_SETTLE, SETTLE_MS);
        return true;
    case CONTROL_STATUS:
    case CONTROL_ASK_REPORT:
        window_ping(window, event_now_ms());
        park(peer, message->header.type == CONTROL_STATUS ? PEER_WAIT_STATUS : PEER_WAIT_REPORT,
             FRESH_WAIT_MS);
        return true;
    default:
        return false;
    }
}

static void withdraw(struct peer *peer, int exit_code, const char *why)
{
    struct window_reason *reason = peer->reason;

    /* The result first: it takes the reason off the peer. */
    peer_result(peer, exit_code, "no window could be opened: %s", why);
    window_release(&peer->keeper->window, event_now_ms(), reason);
}

static void resume_window(struct peer *peer, bool late)
{
    struct keeper *keeper = peer->keeper;
    const struct window *window = &keeper->window;

    if (peer->reason == NULL)
        peer_result(peer, EX_TEMPFAIL, "the window was shut: %s",
                    keeper->trouble[0] != '\0' ? keeper->trouble : peer->wait_ended);
    else if (window->leased && window->ping_answered >= peer->wait_sequence)
        peer_result(peer, 0, "%s", peer->warning);
    else if (keeper->refusals != peer->wait_refusals)
        withdraw(peer, keeper->refusal_code, keeper->trouble);
    else if (late)
        withdraw(peer, EX_TEMPFAIL, "the responder does not answer; the log says more");
}

static void resume_settle(struct peer *peer, uint64_t now_ms, bool late)
{
    struct keeper *keeper = peer->keeper;

    if (keeper->window.leased &&
        (keeper->arrival.verdict == ARRIVAL_PROVED || now_ms >= keeper->leased_ms + SETTLE_MS))
        peer_result(peer, 0, "%s", "");
    else if (keeper->window.state != WINDOW_OPEN || late)
        peer_result(peer, EX_TEMPFAIL, "the window was shut: %s",
                    keeper->trouble[0] != '\0' ? keeper->trouble
                    : keeper->window.state == WINDOW_OPEN
                        ? "it has no lease at present; see wicket status"
                        : "there is no reason for it any more");
}

/* A trouble that is known says more. */
static void explain(struct peer *peer)
{
    struct keeper *keeper = peer->keeper;
    char text[EVIDENCE_TEXT];
    struct evidence seen;

    keeper_evidence(keeper, keeper->window.was_leased, NULL, &seen);
    /* What others fetched is no answer to why nobody fetched this one. */
    if (seen.validations > 0)
        snprintf(peer->warning, sizeof(peer->warning),
                 "nobody asked for this token, but %llu times for others: this host is reached",
                 (unsigned long long)seen.validations);
    else
        snprintf(peer->warning, sizeof(peer->warning), "nobody validated this token: %s",
                 evidence_describe(text, &seen, keeper->config->responder.port));
}

/* The responder was told to forget: its answer to a ping that comes after that says that it has.
 * Neither is waited for long: it, when it hangs, and the lease, when the kernel keeps it. */
static void resume_ended(struct peer *peer, uint64_t now_ms, bool late)
{
    const struct keeper *keeper = peer->keeper;
    struct window *window = &peer->keeper->window;

    if (peer->wait == PEER_WAIT_ENDED) {
        window_ping(window, now_ms);
        peer->wait = PEER_WAIT_FORGOTTEN;
        peer->wait_sequence = window_ping_sequence(window);
    }
    bool over = window->ping_answered >= peer->wait_sequence && keeper->shut_due_ms == UINT64_MAX;
    if (!over && !late)
        return;
    if (peer->explain && peer->warning[0] == '\0')
        explain(peer);
    peer->explain = false;
    peer_result(peer, 0, "%s", peer->warning);
}

/* The kernel's counters begin anew with a table that had to be made again. */
static uint64_t grown(uint64_t now, uint64_t before)
{
    return now > before ? now - before : now;
}

static void send_report(struct peer *peer, uint64_t now_ms)
{
    struct keeper *keeper = peer->keeper;
    const struct peer_baseline *since = &peer->baseline;
    struct redirect_counters table = {0};
    union control_message message;

    redirect_read_connections(keeper->redirect, &table, NULL);
    struct redirect_count sum = redirect_count_sum(&table);

    control_message_init(&message, CONTROL_REPORT);
    struct control_report *report = &message.report;
    report->open_ms = window_open_total_ms(&keeper->window, now_ms) - since->open_ms;
    report->windows = (uint32_t)(keeper->window.windows - since->windows) + since->was_open;
    report->tokens = (uint32_t)(keeper->tokens_total - since->tokens);
    report->validations = keeper_validations(keeper) - since->validations;
    report->addresses = validators_since(&keeper->validators, since->validators);
    report->turned_away = keeper_turned_away(keeper) - since->turned_away;
    report->passed = keeper_passed(keeper) - since->passed;
    report->redirected = grown(sum.redirected, since->redirected);
    report->arrived = grown(sum.arrived, since->arrived);
    report->unknown = keeper_unknown(keeper) - since->unknown;
    if (report->unknown > 0 && keeper->unknown_family != 0)
        inet_ntop(keeper->unknown_family, keeper->unknown_address, report->unknown_address,
                  sizeof(report->unknown_address));
    if (keeper->troubles != since->troubles) {
        report->trouble = 1;
        memcpy(report->text, keeper->trouble_last, sizeof(keeper->trouble_last));
    }
    peer_send(peer, &message, -1);
    peer_result(peer, 0, "%s", "");
}

void request_resume(struct peer *peer, uint64_t now_ms)
{
    const struct window *window = &peer->keeper->window;
    bool late = now_ms >= peer->wait_until_ms;
    bool fresh = window->ping_answered >= peer->wait_sequence || late;

    switch (peer->wait) {
    case PEER_WAIT_NONE:
        break;
    case PEER_WAIT_WINDOW:
        resume_window(peer, late);
        break;
    case PEER_WAIT_RESPONDER:
        if (window->responder_ready)
            peer_result(peer, 0, "%s", peer->warning);
        else if (late)
            peer_result(peer, EX_TEMPFAIL, "the responder does not start; the log says more");
        break;
    case PEER_WAIT_SETTLE:
        resume_settle(peer, now_ms, late);
        break;
    case PEER_WAIT_STATUS:
        if (fresh)
            status_send(peer, now_ms);
        break;
    case PEER_WAIT_REPORT:
        if (fresh)
            send_report(peer, now_ms);
        break;
    case PEER_WAIT_ENDED:
    case PEER_WAIT_FORGOTTEN:
        resume_ended(peer, now_ms, late);
        break;
    }
    if (peer->source.fd >= 0 && peer->packets != NULL && now_ms >= peer->stuck_at_ms) {
        if (log_limit_take(&peer->keeper->log_limit, now_ms))
            log_warnx("uid %u pid %d does not read its answer and loses its connection",
                      (unsigned int)peer->uid, (int)peer->pid);
        peer_close(peer);
    }
}

uint64_t request_next_ms(const struct peer *peer)
{
    uint64_t next_ms = UINT64_MAX;

    if (peer->wait != PEER_WAIT_NONE)
        next_ms = peer->wait_until_ms;
    if (peer->wait == PEER_WAIT_SETTLE && peer->keeper->window.leased &&
        peer->keeper->leased_ms + SETTLE_MS < next_ms)
        next_ms = peer->keeper->leased_ms + SETTLE_MS;
    if (peer->packets != NULL && peer->stuck_at_ms < next_ms)
        next_ms = peer->stuck_at_ms;
    return next_ms;
}
