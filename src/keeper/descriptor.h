// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

/*
 * Closes a socket that the responder has, or had, a copy of. What it may have set on it holds for
 * all copies: with SO_LINGER the last close would wait for as long as a stranger likes.
 */
void descriptor_discard(int fd);
