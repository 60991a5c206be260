// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>

/*
 * Clients send no descriptors, and none of theirs is ever taken: its last close may wait for as
 * long as whoever made it likes (a file of FUSE, a socket with SO_LINGER), and no signal ends that.
 */

/* The kernel refuses descriptors on this AF_UNIX socket, and on what it accepts, with EPERM. False:
 * it is older than Linux 6.16, and hang_up_is_due is what remains. */
bool hang_up_refuse_descriptors(int fd);
/* Whether the packet to be received next has descriptors; they stay where they are. */
bool hang_up_is_due(int fd);
/* Closes the socket of a client, which sends nothing more from here on. With descriptors in its
 * queue a process of its own does, which does the waiting. Keeps errno. */
void hang_up(int fd);
