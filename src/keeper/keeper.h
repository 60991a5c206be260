// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/log_limit.h"
#include "keeper/account.h"
#include "keeper/admission.h"
#include "keeper/arrival.h"
#include "keeper/child.h"
#include "keeper/event.h"
#include "keeper/ledger.h"
#include "keeper/ledger_note.h"
#include "keeper/lock.h"
#include "keeper/pass.h"
#include "keeper/peer.h"
#include "keeper/pressure.h"
#include "keeper/privileges.h"
#include "keeper/request_log.h"
#include "keeper/service.h"
#include "keeper/sources.h"
#include "keeper/stateless.h"
#include "keeper/tokens.h"
#include "keeper/validators.h"
#include "keeper/webroot.h"
#include "keeper/window.h"
#include "redirect/redirect.h"
#include "wicket/config.h"
#include "wicket/error.h"

/*
 * The keeper: one event loop around the window's state machine. Everything that happens (a request,
 * a word from the responder, a signal, the time) is told to the window or to a table beside it;
 * then keeper_settle() does what the window asks for and answers the peers who wait for it.
 */

/* On demand: so long for whoever started it to connect. */
#define KEEPER_STAY_MS 5000
/* The longest that passed connections keep a keeper whose window is shut. */
#define KEEPER_DRAIN_MS (UINT64_C(24) * 3600 * 1000)
/* A passed connection that is idle for so long ends when the keeper is to leave. */
#define KEEPER_STOP_IDLE_MS 5000
/* A lease that the kernel did not let go of is asked back again after this. */
#define KEEPER_SHUT_AGAIN_MS 20

struct keeper_options {
    bool on_demand;       /* leaves when idle: started for a client, by wicket or a socket unit */
    bool config_optional; /* an absent file is the defaults, at a reload too */
    int lock_fd;          /* that holds the lock already, or -1 */
    struct service *service; /* borrowed */
};

/* Of things that are counted since the keeper started: where they stood before the present window,
 * so that `status` can say what went through that one alone. */
struct keeper_before {
    uint64_t tokens;
    /* From its first lease on, which is never taken without a fresh word from the responder. */
    uint64_t validations, turned_away, passed, unknown, redirected, arrived;
    uint64_t validators; /* their count */
};

struct keeper {
    struct keeper_options options;
    struct config *config; /* borrowed */
    enum privileges_mode mode;
    struct account account;
    struct lock lock;

    int epoll_fd;
    struct event_source control, signals, timer;
    uint64_t timer_ms;    /* what the timer is set to; UINT64_MAX: not at all */
    int null_fd, root_fd; /* for the responder */
    int listen_fds[LISTEN_RESPONDER_MAX];
    unsigned int listen_count;
    bool owns_control; /* the socket's file is ours to remove */
    bool was_ready;
    bool leaving;
    bool in_force; /* the lease was taken and not taken away; for the log */
    int exit_code;
    enum window_state state_seen; /* after the last settling */
    char *responder_path;

    struct redirect *redirect;
    struct window window;
    struct child child;
    struct pass pass;
    struct tokens tokens;
    struct stateless stateless;
    struct webroot webroot;
    struct validators validators;
    struct arrival arrival;
    struct pressure pressure;
    struct peers peers;
    struct keeper_admission admission;
    struct keeper_sources sources;
    struct ledger ledger;
    struct ledger_note note;

    uint64_t leased_ms;           /* when the present window first had its lease */
    uint64_t look_due_ms;         /* at the arrival counters; UINT64_MAX: not now */
    uint64_t shut_due_ms;         /* a lease could not be taken away: try again; UINT64_MAX: no */
    uint64_t lease_gone_ms;       /* then the kernel has let go of it */
    struct log_limit log_limit;   /* of what peers can cause */
    struct log_limit validations; /* the same of validators */
    unsigned int refusals;        /* leases refused so far */
    int refusal_code;             /* the exit code of the last one: 75, or 78 */
    unsigned int troubles;        /* told so far */
    char trouble[512];            /* what stands in the way at present, or "" */
    char trouble_last[512];
    char refused[256]; /* what is wrong with a configuration that was to be reloaded, or "" */
    uint64_t shut_ms;  /* of the last window; 0: none yet */
    const char *shut_reason;

    uint64_t tokens_total;
    struct keeper_before before;
    /* Of responders that have died; those of the present one are in `pong`. */
    uint64_t validations_before, turned_away_before, passed_before, unknown_before;
    uint8_t unknown_address[16]; /* who asked for the last unknown token, as in link_pong */
    uint16_t unknown_family;
    bool window_told;          /* the log has the present window, or the last one */
    uid_t window_uid;          /* who opened it */
    uint64_t evidence_tokens;  /* registered in the present window, or in the last one */
    uint64_t validations_told; /* by the present one, or left out of the log */
    struct link_pong pong;

    struct log_limit troubles_told; /* of what stands in the way of windows */
    struct request_log request_log; /* of what peers ask for and get, by user */
    uint64_t stay_until_ms;         /* on demand: for the first peer */
};

/* Sets up everything up to the point where the responder is being started. */
int keeper_init(struct keeper *keeper, struct config *config, const struct keeper_options *options,
                struct error *error);
/* Until it leaves; returns the exit code. `ready` is called once, when everything works; when it
 * never does, the reason is in `error`. */
int keeper_run(struct keeper *keeper, void (*ready)(void *context, const struct error *failure),
               void *context, struct error *error);
/* In order: lease, responder, listeners, table, socket, lock. */
void keeper_deinit(struct keeper *keeper);

/* What the configuration means to others. */
void keeper_window_options(struct window_options *out, const struct config *config);
void keeper_link_setup(const struct keeper *keeper, struct link_setup *out);

/* For the parts that handle requests. */
void keeper_trouble(struct keeper *keeper, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Counts a refused lease, for those who wait for one. */
void keeper_refuse_lease(struct keeper *keeper, const struct error *error);
uint64_t keeper_validations(const struct keeper *keeper);
uint64_t keeper_turned_away(const struct keeper *keeper);
uint64_t keeper_passed(const struct keeper *keeper);
uint64_t keeper_unknown(const struct keeper *keeper);
const char *keeper_end_text(enum window_end end);
