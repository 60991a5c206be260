// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * The request target (RFC 9112 section 3.2) and the host in it or in the Host field (RFC 9110
 * section 7.2). Nothing is decoded and nothing is normalised: a target is a token's or it is not.
 *
 * Taken are origin-form and absolute-form with http: what comes in the clear cannot be a request
 * for https (RFC 9110 section 7.4). `*` and authority-form are for proxies and refused. Of the
 * characters every visible ASCII one but `#` is taken: browsers send a few that RFC 3986 would have
 * encoded (| ^ { }), and none of these can break out of a header.
 */

#define TARGET_MAX      4096
#define TARGET_HOST_MAX 261 /* 255 for the name and ":65535" */

/* Points into the text that was split. */
struct target {
    bool absolute;
    const char *host; /* with its port, as it stands; NULL in origin-form */
    size_t host_length;
    const char *path; /* path and query; in absolute-form the path may be empty */
    size_t path_length;
};

bool target_is_character(unsigned char character);

bool target_split(struct target *out, const char *text, size_t length);

/* What stands behind the challenges' path (RFC 8555 section 8.3), which may be anything; NULL when
 * the target is another. */
const char *target_token(const struct target *target, size_t *length);

/*
 * Whether this is `uri-host [ ":" port ]`: a name, an IPv4 address, or an IP literal in brackets,
 * without user information. An empty name is good syntax. `*name_length` is what stands before the
 * colon of the port, brackets included.
 */
bool target_host_is_valid(const char *text, size_t length, size_t *name_length);
