// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/account.h"

#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <sysexits.h>

#include "wicket/log.h"

static int resolve_user(struct account *out, const struct config *config, struct error *error)
{
    const struct passwd *user = getpwnam(config->responder.user);

    if (user == NULL && config->responder.user_given)
        return error_set(
            error, EX_CONFIG,
            "%s: responder.user: there is no user %s on this host; create it, or name another",
            config->path, config->responder.user);
    if (user == NULL) {
        log_info("no user %s on this host, the responder runs as nobody", config->responder.user);
        user = getpwnam("nobody");
    }
    if (user == NULL)
        return error_set(
            error, EX_CONFIG,
            "%s: responder.user: there is neither a user %s nor nobody; create one of them",
            config->path, config->responder.user);
    if (user->pw_uid == 0 || user->pw_gid == 0)
        return error_set(
            error, EX_CONFIG,
            "%s: responder.user: %s is root or in its group; name an account without privileges",
            config->path, user->pw_name);
    out->responder_uid = user->pw_uid;
    out->responder_gid = user->pw_gid;
    return 0;
}

static int resolve_group(struct account *out, const struct config *config, struct error *error)
{
    const struct group *group = getgrnam(config->control.group);

    out->has_control_group = group != NULL;
    if (group != NULL) {
        out->control_gid = group->gr_gid;
        return 0;
    }
    if (config->control.group_given)
        return error_set(
            error, EX_CONFIG,
            "%s: control.group: there is no group %s on this host; create it, or name another",
            config->path, config->control.group);
    log_info("no group %s on this host, the control socket is for root only",
             config->control.group);
    return 0;
}

int account_resolve(struct account *out, const struct config *config, struct error *error)
{
    if (resolve_user(out, config, error) < 0)
        return -1;
    return resolve_group(out, config, error);
}
