// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/settle.h"

#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/keeper.h"
#include "keeper/request.h"
#include "keeper/serve.h"
#include "keeper/webroot_tokens.h"
#include "wicket/duration.h"
#include "wicket/log.h"

static bool may_tell_end(struct keeper *keeper, const struct window_reason *reason, uint64_t now_ms)
{
    return reason->is_file ? webroot_tokens_may_log(keeper)
                           : request_log_take(&keeper->request_log, reason->uid, now_ms);
}

/* A window is told of from its opening to its end, or not at all. */
static bool may_tell_window(struct keeper *keeper, uint64_t now_ms)
{
    if (!keeper->window_told)
        request_log_leave_out(&keeper->request_log, keeper->window_uid, now_ms);
    return keeper->window_told;
}

static void take_ended(struct keeper *keeper, uint64_t now_ms)
{
    struct window_reason *reason = window_take_ended(&keeper->window);

    while (reason != NULL) {
        struct window_reason *next = reason->next;
        const char *why = keeper_end_text(reason->end);

        if (reason->kind == WINDOW_TOKEN) {
            if (may_tell_end(keeper, reason, now_ms))
                log_info("token %s of uid %u is over: %s", reason->token->name,
                         (unsigned int)reason->uid,
                         reason->end == WINDOW_END_REMOVED ? "removed" : why);
            webroot_tokens_ended(keeper, reason);
            serve_end(keeper, reason);
        }
        keeper->shut_reason = why;
        peers_forget(keeper, reason, why);
        free(reason);
        reason = next;
    }
}

/* A lease that the kernel does not let go of is asked back again, until it has ended by itself. */
static void shut(struct keeper *keeper, uint64_t now_ms)
{
    struct error error;
    bool failed = redirect_shut(keeper->redirect, &error) < 0;

    keeper->look_due_ms = UINT64_MAX;
    if (failed && keeper->shut_due_ms == UINT64_MAX) {
        if (log_limit_take(&keeper->troubles_told, now_ms))
            log_errorx("%s; trying again, and the lease ends by itself", error.text);
        keeper->lease_gone_ms = now_ms + keeper->config->window.lease_ms;
    }
    if (failed && now_ms < keeper->lease_gone_ms) {
        keeper->shut_due_ms = now_ms + KEEPER_SHUT_AGAIN_MS;
        return;
    }
    keeper->shut_due_ms = UINT64_MAX;
    if (keeper->in_force && may_tell_window(keeper, now_ms))
        log_info("port %u is back with production", keeper->config->redirect.port);
    keeper->in_force = false;
}

/* Before the first lease of a window: what the counters stand at. Nobody is missing then. */
static void begin_looking(struct keeper *keeper, uint64_t now_ms)
{
    struct redirect_counters counters;
    struct error error;

    keeper->leased_ms = now_ms;
    if (redirect_read_connections(keeper->redirect, &counters, &error) < 0) {
        if (log_limit_take(&keeper->troubles_told, now_ms))
            log_warnx("%s", error.text);
        counters = (struct redirect_counters){0};
        ledger_note_counters(keeper, NULL);
    } else {
        ledger_note_counters(keeper, &counters);
    }
    arrival_begin(&keeper->arrival, &counters, arrival_bans_hold(keeper->config));
    struct redirect_count sum = redirect_count_sum(&counters);
    keeper->before.validations = keeper_validations(keeper);
    keeper->before.turned_away = keeper_turned_away(keeper);
    keeper->before.passed = keeper_passed(keeper);
    keeper->before.unknown = keeper_unknown(keeper);
    keeper->before.validators = keeper->validators.count;
    keeper->before.redirected = sum.redirected;
    keeper->before.arrived = sum.arrived;
}

static void arm(struct keeper *keeper, uint64_t now_ms)
{
    struct error error;

    if (pressure_check(&keeper->pressure, &error) < 0) {
        keeper_trouble(keeper, "%s", error.text);
        keeper_refuse_lease(keeper, &error);
        window_lease_refused(&keeper->window, now_ms, WINDOW_HOLD_PRESSURE);
        return;
    }
    bool first = !keeper->window.was_leased;
    if (first)
        begin_looking(keeper, now_ms);
    if ((first ? redirect_open : redirect_arm)(keeper->redirect, &error) < 0) {
        keeper_trouble(keeper, "%s", error.text);
        keeper_refuse_lease(keeper, &error);
        window_lease_refused(&keeper->window, now_ms, WINDOW_HOLD_KERNEL);
        return;
    }
    window_lease_taken(&keeper->window, now_ms);
    keeper_admission_note(keeper);
    keeper->trouble[0] = '\0';
    if (!keeper->in_force && may_tell_window(keeper, now_ms))
        log_info("port %u is redirected to the responder", keeper->config->redirect.port);
    if (keeper->look_due_ms == UINT64_MAX)
        keeper->look_due_ms = now_ms + ARRIVAL_LOOK_MS;
    keeper->in_force = true;
    keeper->shut_due_ms = UINT64_MAX;
}

static void drain(struct keeper *keeper)
{
    uint64_t idle_ms = keeper->config->window.drain_ms;
    union link_message message;

    if (keeper->window.stopping && idle_ms > KEEPER_STOP_IDLE_MS)
        idle_ms = KEEPER_STOP_IDLE_MS;
    link_message_init(&message, LINK_DRAIN);
    message.drain.sequence = window_drain_sequence(&keeper->window);
    message.drain.idle_ms = idle_ms;
    child_send(&keeper->child, &message);
}

static void act(struct keeper *keeper, unsigned int actions, uint64_t now_ms)
{
    union link_message message;

    if ((actions & WINDOW_DO_SHUT) != 0)
        shut(keeper, now_ms);
    if ((actions & WINDOW_DO_KILL) != 0) {
        keeper_trouble(keeper, "the responder did not answer for a whole lease and is restarted");
        child_kill(&keeper->child);
    }
    if ((actions & WINDOW_DO_PING) != 0) {
        link_message_init(&message, LINK_PING);
        message.ping.sequence = window_ping_sequence(&keeper->window);
        child_send(&keeper->child, &message);
    }
    if ((actions & WINDOW_DO_ARM) != 0)
        arm(keeper, now_ms);
    if ((actions & WINDOW_DO_RESUME) != 0) {
        link_message_init(&message, LINK_DRAIN);
        child_send(&keeper->child, &message);
    }
    if ((actions & WINDOW_DO_DRAIN) != 0)
        drain(keeper);
    if ((actions & WINDOW_DO_LEAVE) != 0)
        keeper->leaving = true;
}

/* What keeps the redirected from the responder, and what to do about it. */
static void note_blocked(struct keeper *keeper, const struct redirect_counters *counters)
{
    const struct config *config = keeper->config;
    bool v4 = keeper->arrival.family[REDIRECT_IPV4].verdict == ARRIVAL_BLOCKED;
    const char *iptables = v4 ? "iptables" : "ip6tables";
    char blocked[ARRIVAL_TEXT];

    arrival_describe(&keeper->arrival, counters, blocked);
    if (config->redirect.method == CONFIG_METHOD_TPROXY)
        keeper_trouble(keeper,
                       "this host's firewall drops what comes to port %u %s; open that port in it: "
                       "\"tcp dport %u accept\" in the nftables input chain, or %s -I INPUT -p tcp "
                       "--dport %u -j ACCEPT",
                       config->redirect.port, blocked, config->redirect.port, iptables,
                       config->redirect.port);
    else if (config->redirect.admit_count > 0)
        keeper_trouble(keeper,
                       "this host's firewall drops what is redirected to port %u %s, although the "
                       "chains of redirect.admit let it in: another rule does it; wicket check "
                       "names it",
                       config->responder.port, blocked);
    else
        keeper_trouble(keeper,
                       "this host's firewall drops what is redirected to port %u %s; let it in: "
                       "\"ct status dnat tcp dport %u accept\" in the nftables input chain, or %s "
                       "-I INPUT -p tcp --dport %u -m conntrack --ctstate DNAT -j ACCEPT; or for "
                       "the time of a window, with redirect.admit",
                       config->responder.port, blocked, config->responder.port, iptables,
                       config->responder.port);
}

static void look(struct keeper *keeper, uint64_t now_ms)
{
    struct redirect_counters counters;
    struct error error;

    if (now_ms < keeper->look_due_ms)
        return;
    keeper->look_due_ms = now_ms + ARRIVAL_LOOK_MS;
    if (redirect_read_counters(keeper->redirect, &counters, &error) < 0) {
        log_warnx("%s", error.text);
        return;
    }

    const char *obstacle = pass_look(&keeper->pass, &counters);
    if (obstacle != NULL) {
        keeper_trouble(keeper, "visitors cannot be passed on: %s", obstacle);
        window_blocked(&keeper->window, now_ms, WINDOW_END_UNPASSED);
        pass_abort(keeper);
        return;
    }
    if (arrival_look(&keeper->arrival, &counters) != ARRIVAL_BLOCKED)
        return;
    note_blocked(keeper, &counters);
    window_blocked(&keeper->window, now_ms, WINDOW_END_BLOCKED);
}

static void note_state(struct keeper *keeper, uint64_t now_ms)
{
    enum window_state state = keeper->window.state;

    if (keeper->state_seen == WINDOW_OPEN && state != WINDOW_OPEN) {
        keeper->shut_ms = now_ms;
        if (may_tell_window(keeper, now_ms))
            log_info("window shut: %s", keeper->shut_reason);
    }
    /* Its first lease comes later: that takes an answer from the responder. */
    if (keeper->state_seen != WINDOW_OPEN && state == WINDOW_OPEN) {
        keeper_sources_compare(keeper);
        keeper->window_uid = keeper->window.reasons->uid;
        keeper->window_told = request_log_take(&keeper->request_log, keeper->window_uid, now_ms);
    }
    /* All tokens are gone, and mostly what was said of them to the responder too. By itself the C
     * library gives back only what lies behind all that is in use. */
    if (keeper->state_seen != WINDOW_ARMED && state == WINDOW_ARMED)
        (void)malloc_trim(0);
    keeper->state_seen = state;
    if (state == WINDOW_OPEN)
        keeper->evidence_tokens = keeper->tokens_total - keeper->before.tokens;
    ledger_note_window(keeper, now_ms);
    if (state != WINDOW_OPEN)
        keeper->before.tokens = keeper->tokens_total;
    /* What stood in the way of a window that is over is history, but for a block that goes on. */
    if (state != WINDOW_OPEN && keeper->window.blocked_until_ms == 0)
        keeper->trouble[0] = '\0';
}

static void resume_peers(struct keeper *keeper, uint64_t now_ms)
{
    struct peer *next;

    for (struct peer *peer = keeper->peers.list; peer != NULL; peer = next) {
        next = peer->next;
        request_resume(peer, now_ms);
    }
}

/* For whoever asks the service manager. */
static void tell_service(struct keeper *keeper)
{
    struct service *service = keeper->options.service;
    const char *refused = keeper->refused[0] == '\0' ? "" : "; configuration refused: ";

    if (!keeper->was_ready)
        return;
    switch (keeper->window.state) {
    case WINDOW_ARMED:
        service_status(service, "No window is open%s%s", refused, keeper->refused);
        break;
    case WINDOW_OPEN:
        service_status(service, "A window is open, reasons: %zu%s%s%s%s",
                       keeper->window.reason_count, keeper->trouble[0] == '\0' ? "" : "; ",
                       keeper->trouble, refused, keeper->refused);
        break;
    case WINDOW_DRAINING:
        service_status(service, "The last window is shut, its connections finish%s%s", refused,
                       keeper->refused);
        break;
    }
}

/* On demand, with nothing to do and nobody there. Who stands at the door is let in first. */
static bool may_leave(struct keeper *keeper, uint64_t now_ms)
{
    struct pollfd door = {.fd = keeper->control.fd, .events = POLLIN};

    return keeper->options.on_demand && keeper->was_ready && keeper->peers.count == 0 &&
           now_ms >= keeper->stay_until_ms && window_is_idle(&keeper->window, now_ms) &&
           poll(&door, 1, 0) == 0;
}

static uint64_t earlier(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

static uint64_t next_ms(const struct keeper *keeper)
{
    uint64_t at_ms = earlier(window_next_ms(&keeper->window), child_next_ms(&keeper->child));

    at_ms = earlier(at_ms, log_limit_next_ms(&keeper->log_limit));
    at_ms = earlier(at_ms, log_limit_next_ms(&keeper->validations));
    at_ms = earlier(at_ms, log_limit_next_ms(&keeper->troubles_told));
    at_ms = earlier(at_ms, request_log_next_ms(&keeper->request_log));
    at_ms = earlier(at_ms, keeper->look_due_ms);
    at_ms = earlier(at_ms, keeper->shut_due_ms);
    at_ms = earlier(at_ms, peers_next_ms(&keeper->peers));
    at_ms = earlier(at_ms, keeper_sources_next_ms(&keeper->sources));
    at_ms = earlier(at_ms, pass_next_ms(&keeper->pass));
    at_ms = earlier(at_ms, webroot_next_ms(&keeper->webroot));
    at_ms = earlier(at_ms, service_next_ms(keeper->options.service));
    at_ms = earlier(at_ms, ledger_note_next_ms(keeper));
    for (const struct peer *peer = keeper->peers.list; peer != NULL; peer = peer->next)
        at_ms = earlier(at_ms, request_next_ms(peer));
    if (keeper->options.on_demand && keeper->peers.count == 0 && keeper->stay_until_ms != 0)
        at_ms = earlier(at_ms, keeper->stay_until_ms);
    return at_ms;
}

uint64_t keeper_settle(struct keeper *keeper)
{
    unsigned int actions;
    uint64_t now_ms;

    do {
        now_ms = event_now_ms();
        pass_run(keeper, now_ms);
        child_tick(&keeper->child, now_ms);
        peers_tick(keeper, now_ms);
        window_tick(&keeper->window, now_ms);
        webroot_tick(&keeper->webroot, now_ms);
        log_limit_tick(&keeper->log_limit, now_ms);
        log_limit_tick(&keeper->validations, now_ms);
        keeper_sources_tick(keeper, now_ms);
        keeper_admission_tick(keeper, now_ms);
        log_limit_tick(&keeper->troubles_told, now_ms);
        request_log_tick(&keeper->request_log, now_ms);
        look(keeper, now_ms);
        actions = window_take_actions(&keeper->window);
        stateless_allow(keeper);
        act(keeper, actions, now_ms);
        if (now_ms >= keeper->shut_due_ms)
            shut(keeper, now_ms);
        take_ended(keeper, now_ms);
        stateless_withdraw(keeper);
        note_state(keeper, now_ms);
        resume_peers(keeper, now_ms);
        ledger_note_answered(keeper, now_ms);
    } while (actions != 0 || keeper->window.actions != 0 || keeper->window.ended != NULL);

    if (now_ms >= keeper->stay_until_ms)
        keeper->stay_until_ms = 0;
    if (may_leave(keeper, now_ms)) {
        log_info("nothing is pending, leaving");
        keeper->leaving = true;
        service_stopping(keeper->options.service);
    }
    tell_service(keeper);
    service_tick(keeper->options.service, now_ms);
    return next_ms(keeper);
}
