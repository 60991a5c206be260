// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/request_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

struct request_log_user {
    uid_t uid;
    struct log_limit limit;
    char about[40];
    UT_hash_handle hh;
};

/* NULL: no memory for another one. */
static struct request_log_user *user_of(struct request_log *log, uid_t uid)
{
    struct request_log_user *user;

    HASH_FIND(hh, log->users, &uid, sizeof(uid), user);
    if (user != NULL)
        return user;
    user = calloc(1, sizeof(*user));
    if (user == NULL)
        return NULL;
    user->uid = uid;
    snprintf(user->about, sizeof(user->about), "requests of uid %u", (unsigned int)uid);
    user->limit.about = user->about;
    user->limit.most = uid == 0 ? REQUEST_LOG_ROOT : REQUEST_LOG_LINES;
    HASH_ADD(hh, log->users, uid, sizeof(user->uid), user);
    return user;
}

static struct log_limit *limit_of_others(struct request_log *log)
{
    log->others.about = "requests of many users";
    log->others.most = REQUEST_LOG_OTHERS;
    return &log->others;
}

bool request_log_take(struct request_log *log, uid_t uid, uint64_t now_ms)
{
    struct request_log_user *user = user_of(log, uid);

    if (user == NULL) {
        log_limit_leave_out(limit_of_others(log), 1, now_ms);
        return false;
    }
    return log_limit_take(&user->limit, now_ms) &&
           (uid == 0 || log_limit_take(limit_of_others(log), now_ms));
}

void request_log_leave_out(struct request_log *log, uid_t uid, uint64_t now_ms)
{
    struct request_log_user *user = user_of(log, uid);

    log_limit_leave_out(user == NULL ? limit_of_others(log) : &user->limit, 1, now_ms);
}

void request_log_tick(struct request_log *log, uint64_t now_ms)
{
    struct request_log_user *user, *next;

    log_limit_tick(limit_of_others(log), now_ms);
    HASH_ITER(hh, log->users, user, next)
    {
        log_limit_tick(&user->limit, now_ms);
        if (user->limit.dropped == 0 &&
            now_ms - user->limit.second_start_ms >= LOG_LIMIT_SECOND_MS) {
            HASH_DEL(log->users, user);
            free(user);
        }
    }
}

uint64_t request_log_next_ms(const struct request_log *log)
{
    uint64_t next_ms = log_limit_next_ms(&log->others);

    for (const struct request_log_user *user = log->users; user != NULL; user = user->hh.next) {
        uint64_t at_ms = log_limit_next_ms(&user->limit);
        if (at_ms < next_ms)
            next_ms = at_ms;
    }
    return next_ms;
}

void request_log_deinit(struct request_log *log)
{
    request_log_tick(log, UINT64_MAX);
    /* A second that is over frees whoever is owed nothing: nobody is left. */
}
