// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keeper/window.h"

/* A window with a clock that the test moves by hand. */
#define RIG_START_MS 1000000
#define RIG_LEASE_MS 6000
#define RIG_LIMIT_MS 600000
#define RIG_DRAIN_MS 30000
#define RIG_STOP_MS  20000
#define RIG_UID      1000

struct rig {
    struct window window;
    uint64_t now_ms;
};

void rig_init(struct rig *rig);
void rig_deinit(struct rig *rig);

/* A reason on the heap, not begun. for_ms may be WINDOW_FOREVER. */
struct window_reason *rig_reason(const struct rig *rig, enum window_kind kind, uid_t uid,
                                 uint64_t for_ms);
/* The same, begun; it must be accepted. */
struct window_reason *rig_begin(struct rig *rig, enum window_kind kind, uid_t uid, uint64_t for_ms);
/* Tries one that must be refused, and frees it. */
enum window_refusal rig_refused(struct rig *rig, enum window_kind kind, uid_t uid,
                                uint64_t *until_ms);

/* Answers the newest ping. */
void rig_pong(struct rig *rig);
/* Responder up, the first reason, its pong, the lease; no action is left. */
struct window_reason *rig_lease(struct rig *rig);
void rig_tick_at(struct rig *rig, uint64_t now_ms);
/* Time passes, up to then; every ping is answered, and nothing else is due before. */
void rig_pass_to(struct rig *rig, uint64_t now_ms);

/* What window_take_actions says, of which SHUT and ARM are never both. */
unsigned int rig_actions(struct rig *rig);
/* The same without PING, which is answered. */
unsigned int rig_actions_but_ping(struct rig *rig);
/* How many have ended, each for the reason `end`; frees them. */
size_t rig_ended(struct rig *rig, enum window_end end);
/* Nothing is due in the past: a caller that sleeps until then does not spin. */
void rig_assert_sleeps(const struct rig *rig);
