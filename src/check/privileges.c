// SPDX-License-Identifier: GPL-2.0-or-later
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include "check/check.h"

#define SUBJECT "privileges"

static bool has(const struct __user_cap_data_struct sets[2], unsigned int capability)
{
    return sets[capability / 32].effective & 1U << capability % 32;
}

/* As the keeper decides about its mode. */
static void check_mode(struct findings *report)
{
    static const unsigned int full[] = {CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_SYS_CHROOT};
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {0};
    bool all = true;

    if (syscall(SYS_capget, &header, sets) != 0) {
        findings_add(report, LEVEL_NOTE, SUBJECT, NULL, NULL,
                     "the capabilities of this process cannot be read");
        return;
    }
    for (size_t i = 0; i < sizeof(full) / sizeof(full[0]); i++)
        all = all && has(sets, full[i]);
    if (!has(sets, CAP_NET_ADMIN))
        findings_add(report, LEVEL_FINDING, SUBJECT, NULL,
                     "give it CAP_NET_ADMIN, such as --cap-add NET_ADMIN of a container",
                     "root has no CAP_NET_ADMIN here, which the redirect needs");
    else if (all)
        findings_add(report, LEVEL_GOOD, SUBJECT, NULL, NULL, "root; the keeper runs in full mode");
    else
        findings_add(
            report, LEVEL_NOTE, SUBJECT, NULL, NULL,
            "root with CAP_NET_ADMIN and little else: the keeper runs in sidecar mode, the "
            "responder under the same account");
}

static void check_responder_user(struct findings *report, const struct config *config)
{
    if (getpwnam(config->responder.user))
        return;
    if (config->responder.user_given)
        findings_add(report, LEVEL_FINDING, SUBJECT, NULL, "create it, or name another",
                     "responder.user: there is no user %s on this host", config->responder.user);
    else
        findings_add(report, LEVEL_NOTE, SUBJECT, NULL,
                     "useradd --system --home-dir / --shell /usr/sbin/nologin --user-group wicket",
                     "there is no user %s: the responder runs as nobody, beside whatever else does",
                     config->responder.user);
}

static bool is_member(gid_t group)
{
    gid_t groups[256];
    int count = getgroups((int)(sizeof(groups) / sizeof(groups[0])), groups);

    for (int i = 0; i < count; i++)
        if (groups[i] == group)
            return true;
    return getegid() == group;
}

static void check_group(struct check *check)
{
    const struct config *config = &check->settings.config;
    const struct group *group = getgrnam(config->control.group);

    if (group && is_member(group->gr_gid)) {
        findings_add(&check->report, LEVEL_GOOD, SUBJECT, NULL, NULL,
                     "a member of the group %s: may ask a keeper that runs", config->control.group);
        return;
    }
    check->may_not_ask = true;
    findings_add(&check->report, LEVEL_FINDING, SUBJECT, NULL,
                 "run the ACME client as root, or under an account of that group",
                 "neither root nor a member of the group %s: the keeper would refuse",
                 config->control.group);
}

void check_privileges(struct check *check)
{
    if (geteuid() == 0)
        check_mode(&check->report);
    else
        check_group(check);
    check_responder_user(&check->report, &check->settings.config);
}
