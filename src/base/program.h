// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "wicket/error.h"

/*
 * The absolute path of another program of the suite ("wicket-keeper", "wicket-responder"), by
 * where the running one lies: installed, it is in libexecdir and nowhere else; otherwise beside
 * the running one (a build tree), or in the libexec next to its directory (a moved prefix).
 *
 * 69: there is none. 77: root is to run a program that others could have changed; one that lies
 * beside the running program in a build tree is as trustworthy as that one, and is taken.
 */
int program_find(char *out, size_t capacity, const char *name, struct error *error);

/* The same for a program running in `directory` as `uid`. */
int program_find_from(char *out, size_t capacity, const char *directory, uid_t uid,
                      const char *name, struct error *error);
