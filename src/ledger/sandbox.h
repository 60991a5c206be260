// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include "wicket/error.h"

/*
 * Becomes `owner`, in group `group` (-1: as it is), where it may, and has no capability from then
 * on. With the owner's rights alone, whatever is planted in the directory leads nowhere that its
 * owner could not have gone.
 */
int ledger_sandbox_become(uid_t owner, gid_t group, struct error *error);

/* The steps of the fence, for tests too. `directory` is the only place where files may be made,
 * read, written and renamed from now on. */
int ledger_sandbox_landlock(const char *directory, struct error *error);
int ledger_sandbox_filter(struct error *error);
/* All of it, for good. */
int ledger_sandbox_enter(const char *directory, struct error *error);
