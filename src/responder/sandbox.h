// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

#include "wicket/error.h"

/*
 * The fences around the loop, put up once, when everything is there that it needs: no file, process
 * or core, no more than `descriptors`; Landlock, where the kernel has it, against files, TCP
 * connections and processes outside; and a list of the system calls that the loop makes. Each
 * holds by itself, and none can be taken down again. privileges_drop() comes first.
 *
 * From then on the process can do nothing but use the descriptors it has and those it is sent. Any
 * other system call ends it with SIGSYS. 70.
 */
int responder_sandbox_enter(size_t descriptors, struct error *error);

/* The parts of it, for tests. */
int responder_sandbox_limit(size_t descriptors, struct error *error);
int responder_sandbox_landlock(struct error *error);
int responder_sandbox_filter(struct error *error);
