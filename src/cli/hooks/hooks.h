// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands.h"
#include "wicket/error.h"

/*
 * One ACME client's way of calling hooks. operands[0] of the invocation is the client, the rest is
 * what the client says. The result is the exit status, or -1 with the error filled in.
 */
struct hook {
    const char *client;
    int (*function)(const struct invocation *invocation, struct error *error);
};

extern const struct hook hook_acmetool;
extern const struct hook hook_certbot;
extern const struct hook hook_dehydrated;
extern const struct hook hook_uacme;
