// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "redirect/batch.h"
#include "redirect/host_place.h"
#include "redirect/transport.h"
#include "wicket/config.h"

/*
 * Admissions: rules in base chains of the host's own firewall that let in what a window redirects
 * (redirect.admit). They are found again by their comment, so that nothing has to be remembered of
 * chains that others may change at any time. Where each belongs is in host_place.h.
 *
 * What is looked up is true of one generation of the kernel's rules; a batch made from it names
 * that generation and is refused, with admission_is_outdated(), when there has been another since.
 */

/* Begins an atomic batch that is for the kernel's rules as they are now. */
int admission_begin(struct transport *transport, struct batch *batch, struct failure *failure);

/*
 * Adds what makes the one admission of `chain` stand where it belongs: nothing, if it does.
 * `overruled`: the first ban that it has to stand before, if any. 78: no such chain, or none that
 * packets for this host go through; or there is such a ban, and `config` has visitors passed on.
 */
int admission_put(struct transport *transport, struct batch *batch, const struct config *config,
                  const struct config_chain *chain, struct host_ban *overruled,
                  struct failure *failure);
/* Adds what takes the admissions out of `chain`; fine when it is not there. */
int admission_take(struct transport *transport, struct batch *batch,
                   const struct config_chain *chain, struct failure *failure);

/* "rule 12 of chain inet filter services", or "what comes behind" it; printable; `chain` is of the
 * same table. */
#define ADMISSION_BAN_TEXT 1280
void admission_describe_ban(char out[ADMISSION_BAN_TEXT], const struct host_ban *ban,
                            const struct config_chain *chain);

bool admission_is_outdated(const struct failure *failure);

/* All admissions, wherever they are. */
struct admission_leftovers {
    struct config_chain *chains; /* owned; one for each */
    uint64_t *handles;           /* owned */
    size_t count;
};

int admission_find_all(struct transport *transport, struct admission_leftovers *out,
                       struct failure *failure);
void admission_leftovers_deinit(struct admission_leftovers *leftovers);
