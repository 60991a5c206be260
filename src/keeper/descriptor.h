// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

/*
 * What the keeper closes may be a socket that somebody else has, or had, a copy of: the responder,
 * or a peer that put it into a packet nobody has read. What they set on it holds for all copies:
 * with SO_LINGER the last close of a TCP socket waits for as long as they like, also when the
 * socket does not block. A signal ends that wait.
 */

/* A close in between, also one by the kernel of what comes with a packet, waits 10 ms at most.
 * System calls that can be interrupted may be. */
void descriptor_hurry(void);
void descriptor_hurry_end(void);

/* Closes a socket in which there may be others that were not read. */
void descriptor_close(int fd);
/* Closes one that the responder has, or had, a copy of. On with no time to linger is a reset, which
 * is how a passed connection ends early. */
void descriptor_discard(int fd);
