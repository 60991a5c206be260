// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/privileges.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "keeper/root.h"

/* What full mode takes. CAP_CHOWN is used too where it is there, at the start: to hand the control
 * socket to its group; and CAP_KILL, without which killing the responder is a matter of SETUID. */
static const cap_value_t full_needed[] = {CAP_NET_ADMIN, CAP_SETUID, CAP_SETGID, CAP_SETPCAP,
                                          CAP_SYS_CHROOT};
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
    bool full = (geteuid() == 0 || root_is_given()) && has(caps, full_needed, COUNT(full_needed));
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

/* Those of them that are there. */
static bool keep_only(const cap_value_t *kept, size_t count)
{
    cap_t now = cap_get_proc();
    cap_t caps = cap_init();
    bool good = now != NULL && caps != NULL;

    for (size_t i = 0; good && i < count; i++) {
        cap_flag_value_t value = CAP_CLEAR;
        good = cap_get_flag(now, kept[i], CAP_PERMITTED, &value) == 0 &&
               cap_set_flag(caps, CAP_PERMITTED, 1, &kept[i], value) == 0 &&
               cap_set_flag(caps, CAP_EFFECTIVE, 1, &kept[i], value) == 0;
    }
    good = good && cap_set_proc(caps) == 0;
    cap_free(now);
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

/* Over exec, which gives root its capabilities and others only the ambient ones. */
static bool pass_on(const cap_value_t *kept, size_t count)
{
    cap_t caps = geteuid() == 0 ? NULL : cap_get_proc();
    bool good =
        geteuid() == 0 ||
        (caps != NULL && cap_set_flag(caps, CAP_INHERITABLE, (int)count, kept, CAP_SET) == 0 &&
         cap_set_proc(caps) == 0);

    for (size_t i = 0; good && caps != NULL && i < count; i++)
        good = cap_set_ambient(kept[i], CAP_SET) == 0;
    cap_free(caps);
    return good;
}

bool privileges_for_responder(enum privileges_mode mode)
{
    if (mode == PRIVILEGES_SIDECAR)
        return keep_only(NULL, 0);
    return bound(full_responder, COUNT(full_responder)) &&
           keep_only(full_responder, COUNT(full_responder)) &&
           pass_on(full_responder, COUNT(full_responder));
}
