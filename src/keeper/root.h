// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>

#include "keeper/privileges.h"
#include "wicket/error.h"

/*
 * What becomes the responder's root directory: WICKET_RUNTIME_DIR/empty, made here, owned by root,
 * writable by nobody. In sidecar mode, where nobody may chroot, /dev/null instead.
 */
int root_open(int *out_fd, enum privileges_mode mode, struct error *error);
void root_remove(enum privileges_mode mode);

/* Whether root has made the directory, for a keeper that is not root. */
bool root_is_given(void);
