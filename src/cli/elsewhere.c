// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/elsewhere.h"

#include <string.h>
#include <sysexits.h>

#include "cli/lockfile.h"

int elsewhere_check(const char *runtime_dir, const struct settings *settings, bool *known,
                    struct error *error)
{
    const char *ours = settings->config.control.socket;
    struct lockfile_content content;
    switch (lockfile_find_holder(runtime_dir, &content)) {
    case LOCKFILE_FREE:
        *known = true;
        return 0;
    case LOCKFILE_HIDDEN:
        *known = false;
        return 0;
    case LOCKFILE_HELD:
        break;
    }
    if (content.pid == 0) {
        return error_set(error, EX_TEMPFAIL, "%s: a keeper is starting there; try again", ours);
    }
    if (strcmp(content.socket, ours) != 0) {
        return error_set(error, EX_CONFIG,
                         "a keeper (pid %d) runs at %s with %s; %s of %s is another: use -c %s",
                         (int)content.pid, content.socket, content.config, ours,
                         settings->config.path, content.config);
    }
    return error_set(error, EX_TEMPFAIL,
                     "a keeper (pid %d) runs but does not answer at %s: it is leaving, or that "
                     "socket was removed; stop it if it stays",
                     (int)content.pid, ours);
}
