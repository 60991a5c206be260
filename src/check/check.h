// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "check/findings.h"
#include "check/journey.h"
#include "cli/settings.h"

/* What `wicket check` looks at, one subject a file. Each adds to the report; what cannot be looked
 * at is a note in it. */
struct check {
    struct findings report;
    struct settings settings;
    struct network network;
    bool responder_port_taken; /* by somebody else: no window can be opened */
    bool may_not_ask; /* the keeper would refuse this user, or there is nobody to start one */
};

/* Every line of a file that is wrong is a finding; false then. */
bool check_config(struct check *check, const char *path);
void check_privileges(struct check *check);
void check_listeners(struct check *check);
void check_conntrack(struct check *check);
/* Tries what a window needs of the kernel, in a network namespace of its own. */
void check_kernel(struct check *check);
void check_firewall(struct check *check);
/* Opens a window for a moment and fetches a token at each of this host's addresses. */
void check_window(struct check *check);
/* What DNS says of a name that a certificate is to be for. */
void check_domain(struct check *check, const char *domain);

/* Where the redirect of this configuration stands among the prerouting chains. */
int check_redirect_priority(const struct config *config, int32_t *out, struct error *error);
