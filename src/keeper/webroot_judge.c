// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/webroot_judge.h"

#include <string.h>
#include <sys/inotify.h>
#include <sysexits.h>

#define ITSELF (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)

enum webroot_deed webroot_judge_challenge(uint32_t mask, const char *name)
{
    if ((mask & IN_Q_OVERFLOW) != 0)
        return WEBROOT_RESCAN;
    if ((mask & ITSELF) != 0 || name == NULL)
        return WEBROOT_WALK;
    if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0)
        return WEBROOT_VANISH;
    /* Directories have no content to become complete. */
    if ((mask & IN_ISDIR) != 0)
        return WEBROOT_PASS_OVER;
    if ((mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0)
        return WEBROOT_READ;
    return (mask & IN_ATTRIB) != 0 ? WEBROOT_RETRY : WEBROOT_PASS_OVER;
}

enum webroot_deed webroot_judge_parent(uint32_t mask, const char *name, const char *child)
{
    if ((mask & IN_Q_OVERFLOW) != 0)
        return WEBROOT_RESCAN;
    if ((mask & ITSELF) != 0)
        return WEBROOT_WALK;
    if (name == NULL)
        return (mask & IN_ATTRIB) != 0 ? WEBROOT_WALK : WEBROOT_PASS_OVER;
    return (mask & WEBROOT_PARENT_EVENTS) != 0 && strcmp(name, child) == 0 ? WEBROOT_WALK
                                                                           : WEBROOT_PASS_OVER;
}

bool webroot_judge_name(const char *name, bool *silent)
{
    *silent = name[0] == '.';
    return challenge_is_token(name, strlen(name));
}

int webroot_judge_content(struct challenge *out, const char *name, const char *bytes, size_t length,
                          struct error *error)
{
    struct challenge challenge;

    if (length == 0)
        return error_set(error, EX_DATAERR, "it is empty");
    if (length > WEBROOT_FILE_MAX)
        return error_set(error, EX_DATAERR, "it has more than %d bytes", WEBROOT_FILE_MAX);
    if (bytes[length - 1] == '\n')
        length--;
    if (challenge_parse(&challenge, bytes, length, NULL) < 0)
        return error_set(error, EX_DATAERR,
                         "what is in it is no key authorization: a token, a dot, and the 43 "
                         "characters of a thumbprint");
    if (strcmp(challenge.token, name) != 0)
        return error_set(error, EX_DATAERR,
                         "the key authorization in it is for another token than its name");
    *out = challenge;
    return 0;
}

uint64_t webroot_judge_age(uint64_t now_ms, uint64_t written_ms, uint64_t lifetime_ms)
{
    uint64_t age_ms = now_ms > written_ms ? now_ms - written_ms : 0;

    return age_ms < lifetime_ms ? lifetime_ms - age_ms : 0;
}
