// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * For clients that take one path and no arguments there is an executable for each, which becomes
 * `wicket hook CLIENT ARG…`.
 *
 * Where `wicket` is, seen from the directory the executable is in: as installed, in a moved copy
 * of an installation, or in a build tree. False when the path does not fit.
 */
bool launch_path(char *out, size_t capacity, const char *directory);
