// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/sanitizer.h"

static int step_failed(struct error *error, const char *step)
{
    return error_set_errno(error, errno == EPERM ? 77 : 70, "giving up privileges: %s", step);
}

/* -1 with errno; *empty otherwise. */
static int directory_is_empty(int root, bool *empty)
{
    int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;

    if (!directory) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *empty = true;
    errno = 0;
    while ((entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            *empty = false;
    }
    int failure = errno;
    closedir(directory);
    errno = failure;
    return failure == 0 ? 0 : -1;
}

static int check_root(int root, struct error *error)
{
    struct stat status;
    bool empty = false;

    if (fstat(root, &status) < 0)
        return error_set_errno(error, 70, "the root directory on descriptor %d", root);
    if (!S_ISDIR(status.st_mode) || status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)))
        return error_set(
            error, 70, "the root directory on descriptor %d is not root's alone to write to", root);
    if (directory_is_empty(root, &empty) < 0)
        return error_set_errno(error, 70, "reading the root directory on descriptor %d", root);
    if (!empty)
        return error_set(error, 70, "the root directory on descriptor %d is not empty", root);
    return 0;
}

static int enter_root(int root, struct error *error)
{
    if (check_root(root, error) < 0)
        return -1;
    if (fchdir(root) < 0)
        return step_failed(error, "fchdir to the root directory");
    if (chroot(".") < 0)
        return step_failed(error, "chroot");
    if (chdir("/") < 0)
        return step_failed(error, "chdir to /");
    return 0;
}

static int drop_bounding_set(struct error *error)
{
    for (cap_value_t value = 0; value < cap_max_bits(); value++) {
        if (cap_drop_bound(value) < 0)
            return step_failed(error, "dropping the capability bounding set");
    }
    return 0;
}

static int change_account(uid_t uid, gid_t gid, struct error *error)
{
    if (setgroups(0, NULL) < 0)
        return step_failed(error, "setgroups");
    if (drop_bounding_set(error) < 0)
        return -1;
    if (setresgid(gid, gid, gid) < 0)
        return step_failed(error, "setresgid");
    if (setresuid(uid, uid, uid) < 0)
        return step_failed(error, "setresuid");
    return 0;
}

static int drop_capabilities(struct error *error)
{
    cap_t none = cap_init();

    if (!none)
        return step_failed(error, "cap_init");
    int result = cap_set_proc(none);
    (void)cap_free(none);
    if (result < 0)
        return step_failed(error, "clearing the capabilities");
    if (cap_reset_ambient() < 0)
        return step_failed(error, "clearing the ambient capabilities");
    return 0;
}

/* A change of account clears PR_SET_PDEATHSIG and may set PR_SET_DUMPABLE: this comes after it. */
static int limit_process(pid_t parent, struct error *error)
{
    const struct rlimit no_core = {0, 0};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return step_failed(error, "no_new_privs");
    /* The search for leaks traces its own process, which must be dumpable for that. */
    if (prctl(PR_SET_DUMPABLE, SANITIZER, 0, 0, 0) < 0)
        return step_failed(error, "PR_SET_DUMPABLE");
    if (setrlimit(RLIMIT_CORE, &no_core) < 0)
        return step_failed(error, "RLIMIT_CORE");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return step_failed(error, "PR_SET_PDEATHSIG");
    if (getppid() != parent)
        return error_set(error, 70, "whoever started this is gone");
    return 0;
}

static int verify_capabilities(bool full, struct error *error)
{
    cap_t now = cap_get_proc();
    cap_t none = cap_init();
    int difference = now && none ? cap_compare(now, none) : -1;

    (void)cap_free(now);
    (void)cap_free(none);
    if (difference != 0)
        return error_set(error, 70, "giving up privileges: capabilities are left");
    for (cap_value_t value = 0; value < cap_max_bits(); value++) {
        if (cap_get_ambient(value) != 0 || (full && cap_get_bound(value) != 0))
            return error_set(error, 70, "giving up privileges: capability %d is left", value);
    }
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return error_set(error, 70, "giving up privileges: no_new_privs is not set");
    return 0;
}

static int verify_account(uid_t uid, gid_t gid, struct error *error)
{
    uid_t uids[3];
    gid_t gids[3];

    if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 || getresgid(&gids[0], &gids[1], &gids[2]) < 0)
        return step_failed(error, "reading the account");
    for (size_t i = 0; i < 3; i++) {
        if (uids[i] != uid || gids[i] != gid)
            return error_set(error, 70, "giving up privileges: the account did not change");
    }
    if (getgroups(0, NULL) != 0)
        return error_set(error, 70, "giving up privileges: groups are left");
    if (setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0 || setgroups(0, NULL) == 0 ||
        chroot(".") == 0)
        return error_set(error, 70, "giving up privileges: there is a way back");
    return 0;
}

int privileges_drop(const struct link_setup *setup, pid_t parent, struct error *error)
{
    bool full = !setup->sidecar;

    if (full && enter_root(LINK_FD_ROOT, error) < 0)
        return -1;
    close(LINK_FD_ROOT);
    if (full && change_account(setup->uid, setup->gid, error) < 0)
        return -1;
    if (drop_capabilities(error) < 0 || limit_process(parent, error) < 0 ||
        verify_capabilities(full, error) < 0)
        return -1;
    return full ? verify_account(setup->uid, setup->gid, error) : 0;
}
