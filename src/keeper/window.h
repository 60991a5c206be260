// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uthash.h>

#include "keeper/deadlines.h"

/*
 * The life of the window, as pure data: events go in, actions come out. There is no I/O here and
 * no clock; every event carries `now_ms`, a clock that only goes forward.
 *
 *            first reason                        last reason gone
 *   ARMED ----------------> OPEN --------------------------------------> DRAINING
 *     ^                      ^   (removed, deadline, limit, closed, …)      |  |
 *     |                      |               a reason                       |  |
 *     |                      +----------------------------------------------+  |
 *     +------------------------------------------------------------------------+
 *                  lingered for late handshakes, and no connection is left
 *
 * OPEN means that there is a reason. Whether the redirect is in force then is a second question,
 * `leased`: the lease is taken and renewed only directly after the responder answered a ping, so a
 * responder that is dead, hung or not ready yet never has port 80 pointed at it. `held` says why an
 * open window has no lease.
 *
 * The caller does what window_take_actions() tells it after every event, and frees what
 * window_take_ended() returns, telling the responder to forget the tokens among them.
 */

enum window_state { WINDOW_ARMED, WINDOW_OPEN, WINDOW_DRAINING };

enum window_kind {
    WINDOW_TOKEN, /* a registered token; always has a deadline */
    WINDOW_HAND,  /* `wicket open` */
    WINDOW_RUN,   /* `wicket run --open`, as long as its connection lives */
};

/* Why a reason ended. */
enum window_end {
    WINDOW_END_REMOVED,  /* by whoever asked for it, or root */
    WINDOW_END_DEADLINE, /* nobody removed it in time */
    WINDOW_END_LIMIT,    /* the window had been open for window.limit */
    WINDOW_END_BLOCKED,  /* redirected connections do not arrive */
    WINDOW_END_UNPASSED, /* visitors cannot be passed on without showing the wrong address */
    WINDOW_END_STOPPED,  /* the keeper is leaving */
};

/* Why an open window has no lease. */
enum window_hold {
    WINDOW_HOLD_NONE,
    WINDOW_HOLD_RESPONDER, /* not started, restarting, or it has not answered yet */
    WINDOW_HOLD_PRESSURE,  /* the host is short of something; see the caller's own words */
    WINDOW_HOLD_KERNEL,    /* the kernel refused the lease */
};

enum window_action {
    WINDOW_DO_PING = 1 << 0,   /* send a ping with window_ping_sequence() */
    WINDOW_DO_ARM = 1 << 1,    /* take or renew the lease; answer with window_lease_taken/refused */
    WINDOW_DO_SHUT = 1 << 2,   /* take the lease away, now */
    WINDOW_DO_DRAIN = 1 << 3,  /* ask the responder to say when its last connection is gone; with
                                  window_drain_sequence() */
    WINDOW_DO_KILL = 1 << 4,   /* the responder hangs: kill it; window_responder_down follows */
    WINDOW_DO_LEAVE = 1 << 5,  /* shut and drained after window_stop(): the caller may go */
    WINDOW_DO_RESUME = 1 << 6, /* tell the responder that a window is open again after all */
};

enum window_refusal {
    WINDOW_ACCEPTED,
    WINDOW_REFUSED_QUOTA,    /* this uid has WINDOW_TOKENS_PER_UID tokens */
    WINDOW_REFUSED_PENALTY,  /* a window of this uid ran into the limit; see *until_ms */
    WINDOW_REFUSED_BLOCKED,  /* redirected connections did not arrive; see *until_ms */
    WINDOW_REFUSED_STOPPING, /* the keeper is leaving */
    WINDOW_REFUSED_MEMORY,
};

#define WINDOW_TOKENS_PER_UID 1000
#define WINDOW_FOREVER        UINT64_MAX
/* Deferred accepts: a handshake begun under the lease may reach the listener this much later. */
#define WINDOW_LINGER_MS 4000
/* After redirected connections did not arrive, no window opens for so long: each try costs
 * visitors. */
#define WINDOW_BLOCKED_MS 10000

struct token;

/* There may be a hundred thousand: what one takes is worth a look. */
struct window_reason {
    uint64_t since_ms;
    struct deadline deadline; /* .at_ms may be WINDOW_FOREVER */
    struct window_reason *previous, *next;
    struct token *token;               /* WINDOW_TOKEN: see tokens.h */
    struct window_reason *next_holder; /* of the same token */
    uid_t uid;
    pid_t pid;
    unsigned int count;        /* WINDOW_TOKEN: how often it was registered and not yet removed */
    enum window_kind kind : 8; /* one byte each, so that most purposes fit in behind */
    enum window_end end : 8;   /* once it has ended */
    bool is_file;              /* WINDOW_TOKEN: a file in the webroot, registered by nobody */
    char purpose[];
};

/* What is remembered of a user. */
struct window_user {
    uid_t uid;
    unsigned int reasons;      /* all of them */
    unsigned int tokens;       /* the WINDOW_TOKEN ones */
    uint64_t since_ms;         /* when the first of them began; there was one ever since */
    uint64_t penalty_until_ms; /* 0: none */
    UT_hash_handle hh;
};

struct window_options {
    uint64_t lease_ms;
    uint64_t limit_ms;
    uint64_t drain_ms; /* the longest connections can take after the linger */
    uint64_t stop_ms;  /* the same once the keeper is to leave */
};

struct window {
    struct window_options options;
    enum window_state state;
    enum window_hold hold;
    bool leased;
    bool responder_ready;
    bool stopping;
    bool lingering;  /* DRAINING: the responder has not been asked yet */
    bool was_leased; /* in this window */
    bool drain_owed; /* somebody may have come through this window or the one it reopened */
    bool drain_told; /* the responder thinks that no window is open */

    struct window_reason *reasons; /* window::reasons, oldest first */
    struct window_reason *reasons_last;
    size_t reason_count;
    struct deadlines deadlines;
    struct window_reason *ended;
    struct window_user *users;

    uint64_t opened_ms;      /* OPEN */
    uint64_t limit_at_ms;    /* OPEN */
    uint64_t armed_ms;       /* when the lease was last taken */
    uint64_t drain_at_ms;    /* DRAINING: the end of the linger, then of the drain */
    uint64_t drain_sequence; /* of the last question */
    uint64_t blocked_until_ms;

    uint64_t ping_sent, ping_answered; /* sequence numbers */
    uint64_t ping_due_ms;
    uint64_t silent_since_ms; /* the oldest unanswered ping, or the last answer */

    unsigned int actions;

    /* Since the start, for status and reports. */
    uint64_t windows;
    uint64_t open_total_ms; /* of the windows that have ended */
};

void window_init(struct window *window, const struct window_options *options);
void window_deinit(struct window *window);
/* New options take effect from the next lease, window and drain on; a lower limit also for the
 * window that is open. */
void window_configure(struct window *window, const struct window_options *options);

/* On the heap, in as much memory as its purpose takes; NULL: no memory. */
struct window_reason *window_reason_new(enum window_kind kind, uid_t uid, uint64_t deadline_ms,
                                        const char *purpose);
/*
 * A reason begins. What window_reason_new has not set, the caller does (pid, is_file, token); it
 * belongs to the window when WINDOW_ACCEPTED is returned. Otherwise *until_ms may say when it is
 * worth trying again (0: no time is known).
 */
enum window_refusal window_begin(struct window *window, uint64_t now_ms,
                                 struct window_reason *reason, uint64_t *until_ms);
/* Whether window_begin would refuse this user now, whatever the reason. */
enum window_refusal window_would_refuse(const struct window *window, uint64_t now_ms, uid_t uid,
                                        enum window_kind kind, uint64_t *until_ms);
/*
 * The next three leave a reason alone that has ended and waits in window_take_ended(): two events
 * of one turn of the loop can both want to end it.
 */
/* The same reason again: counts up, and takes the later of the deadlines. */
void window_again(struct window *window, uint64_t now_ms, struct window_reason *reason,
                  uint64_t deadline_ms);
/* One registration of it is taken back; the last one ends it. */
void window_release(struct window *window, uint64_t now_ms, struct window_reason *reason);
void window_finish(struct window *window, uint64_t now_ms, struct window_reason *reason,
                   enum window_end end);

void window_responder_up(struct window *window, uint64_t now_ms);
void window_responder_down(struct window *window, uint64_t now_ms);
void window_pong(struct window *window, uint64_t now_ms, uint64_t sequence);
/* An answer to any question but the last says nothing. */
void window_drained(struct window *window, uint64_t now_ms, uint64_t sequence);

void window_lease_taken(struct window *window, uint64_t now_ms);
void window_lease_refused(struct window *window, uint64_t now_ms, enum window_hold why);
/* Each window costs visitors, whom it does not let through (BLOCKED, UNPASSED): it ends, and none
 * opens for a while. */
void window_blocked(struct window *window, uint64_t now_ms, enum window_end why);

/* Every reason ends; when drained, WINDOW_DO_LEAVE. A second time: at once. */
void window_stop(struct window *window, uint64_t now_ms);

/* Time passed. To be called when window_next_ms() is reached, or at any other time. */
void window_tick(struct window *window, uint64_t now_ms);
/* When the next thing is due; WINDOW_FOREVER for nothing. */
uint64_t window_next_ms(const struct window *window);

/* The actions called for since the last call, as a set of enum window_action. SHUT never comes
 * together with ARM. */
unsigned int window_take_actions(struct window *window);
/* The reasons that ended since the last call, linked by `next`; the caller frees them. */
struct window_reason *window_take_ended(struct window *window);

/* Asks the responder for its counters: a ping outside the schedule. */
void window_ping(struct window *window, uint64_t now_ms);
uint64_t window_ping_sequence(const struct window *window);
uint64_t window_drain_sequence(const struct window *window);
/* How long windows have been open, the present one included. */
uint64_t window_open_total_ms(const struct window *window, uint64_t now_ms);
/* Nothing is open or draining, and nothing has to be remembered: the keeper may leave. */
bool window_is_idle(const struct window *window, uint64_t now_ms);
