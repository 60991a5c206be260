// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/privileges.h"

#include <stddef.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

/* To start: what full mode needs once, and what it needs for good. */
static const cap_value_t full_start[] = {CAP_NET_ADMIN, CAP_KILL,       CAP_SETUID, CAP_SETGID,
                                         CAP_SETPCAP,   CAP_SYS_CHROOT, CAP_CHOWN};
static const cap_value_t full_kept[] = {CAP_NET_ADMIN, CAP_KILL,    CAP_SETUID,
                                        CAP_SETGID,    CAP_SETPCAP, CAP_SYS_CHROOT};
static const cap_value_t full_responder[] = {CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_SYS_CHROOT};
static const cap_value_t sidecar_kept[] = {CAP_NET_ADMIN};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool has(cap_t caps, const cap_value_t *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cap_flag_value_t value = CAP_CLEAR;
        if (cap_get_flag(caps, wanted[i], CAP_EFFECTIVE, &value) != 0 || value != CAP_SET)
            return false;
    }
    return true;
}

int privileges_detect(enum privileges_mode *out, struct error *error)
{
    cap_t caps = cap_get_proc();
    if (caps == NULL)
        return error_set_errno(error, EX_OSERR, "cannot read this process's capabilities");

    bool net_admin = has(caps, sidecar_kept, COUNT(sidecar_kept));
    bool full = geteuid() == 0 && has(caps, full_start, COUNT(full_start));
    cap_free(caps);

    if (!net_admin)
        return error_set(
            error, EX_NOPERM,
            "CAP_NET_ADMIN is missing: the redirect of port 80 needs it; start the keeper as root "
            "or give it that capability");
    *out = full ? PRIVILEGES_FULL : PRIVILEGES_SIDECAR;
    return 0;
}

/* The bounding set takes CAP_SETPCAP, so it goes first. */
static bool bound(const cap_value_t *kept, size_t count)
{
    for (cap_value_t cap = 0; CAP_IS_SUPPORTED(cap); cap++) {
        bool keep = false;
        for (size_t i = 0; i < count; i++)
            keep = keep || kept[i] == cap;
        if (!keep && cap_drop_bound(cap) != 0)
            return false;
    }
    return true;
}

/* cap_set_flag(3) takes no empty list for an answer. */
static bool add_all(cap_t caps, cap_flag_t set, const cap_value_t *kept, size_t count)
{
    return count == 0 || cap_set_flag(caps, set, (int)count, kept, CAP_SET) == 0;
}

static bool keep_only(const cap_value_t *kept, size_t count)
{
    cap_t caps = cap_init();
    bool good = caps != NULL && add_all(caps, CAP_PERMITTED, kept, count) &&
                add_all(caps, CAP_EFFECTIVE, kept, count) && cap_set_proc(caps) == 0;

    cap_free(caps);
    return good;
}

int privileges_reduce(enum privileges_mode mode, struct error *error)
{
    bool full = mode == PRIVILEGES_FULL;

    if (full && !bound(full_kept, COUNT(full_kept)))
        return error_set_errno(error, EX_OSERR, "cannot reduce the capability bounding set");
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        return error_set_errno(error, EX_OSERR, "cannot clear the ambient capabilities");
    if (!(full ? keep_only(full_kept, COUNT(full_kept))
               : keep_only(sidecar_kept, COUNT(sidecar_kept))))
        return error_set_errno(error, EX_OSERR, "cannot give up capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return error_set_errno(error, EX_OSERR, "cannot set no_new_privs");
    return 0;
}

bool privileges_for_responder(enum privileges_mode mode)
{
    if (mode == PRIVILEGES_SIDECAR)
        return keep_only(NULL, 0);
    return bound(full_responder, COUNT(full_responder)) &&
           keep_only(full_responder, COUNT(full_responder));
}
