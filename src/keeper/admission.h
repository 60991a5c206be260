// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdint.h>

#include "keeper/event.h"
#include "redirect/redirect.h"
#include "redirect/watch.h"
#include "wicket/error.h"

struct keeper;

/*
 * The admissions of an open window (redirect.admit) against whoever reloads the host's firewall:
 * the kernel announces that rules have changed, and they are put back at once, or the lease goes.
 */
struct keeper_admission {
    struct watch watch;
    struct event_source changes;
    bool changed;                           /* since the last look */
    bool admitted;                          /* in any window so far */
    char overruled[REDIRECT_OVERRULED_MAX]; /* that the log has told */
};

void keeper_admission_init(struct keeper_admission *admission);
/* Before the keeper opens its first window, and when it leaves: what has been left is removed. */
void keeper_admission_sweep(struct keeper *keeper);
/* Watches while there are chains to watch; after every reload too. */
int keeper_admission_watch(struct keeper *keeper, struct error *error);
void keeper_admission_deinit(struct keeper *keeper);

/* They stand with a lease: says which of the host's bans they overrule, when that has changed. */
void keeper_admission_note(struct keeper *keeper);
/* Does what an announcement asks for. */
void keeper_admission_tick(struct keeper *keeper, uint64_t now_ms);
