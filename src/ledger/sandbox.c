// SPDX-License-Identifier: GPL-2.0-or-later
#include "ledger/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "sandbox/common.h"
#include "sandbox/landlock.h"
#include "wicket/ledger.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int drop_capabilities(struct error *error)
{
    cap_t none = cap_init();
    bool good = none != NULL && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
                cap_set_proc(none) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;

    if (!good)
        error_set_errno(error, EX_OSERR, "cannot give up capabilities");
    if (none != NULL)
        cap_free(none);
    return good ? 0 : -1;
}

int ledger_sandbox_become(uid_t owner, gid_t group, struct error *error)
{
    /* Who may not has the rights that it has, and the directory decides. */
    if (group != (gid_t)-1 && setgroups(0, NULL) == 0)
        (void)!setresgid(group, group, group);
    if (owner != geteuid())
        (void)!setresuid(owner, owner, owner);
    return drop_capabilities(error);
}

int ledger_sandbox_landlock(const char *directory, struct error *error)
{
    static const struct landlock_fences fences = {
        .files = LANDLOCK_FILES,
        .tcp = LANDLOCK_BIND | LANDLOCK_CONNECT,
        .scoped = LANDLOCK_ABSTRACT_SOCKETS | LANDLOCK_SIGNALS,
    };
    const struct landlock_exception exceptions[] = {
        {directory, LANDLOCK_READ_FILE | LANDLOCK_WRITE_FILE | LANDLOCK_TRUNCATE |
                        LANDLOCK_MAKE_FILE | LANDLOCK_REMOVE_FILE},
        {"/proc", SANITIZER ? LANDLOCK_READ_FILE | LANDLOCK_READ_DIR : 0},
    };

    return landlock_restrict(&fences, exceptions, COUNT(exceptions), error);
}

int ledger_sandbox_filter(struct error *error)
{
    const struct filter_rule rules[] = {
        /* the keeper */
        FILTER_CALL(recvfrom),
        FILTER_CALL_2(sendto, FILTER_NULL(4), FILTER_FLAGS(3, 0, MSG_DONTWAIT | MSG_NOSIGNAL)),

        /* the file */
        FILTER_CALL(openat),
        FILTER_CALL(fstat),
        FILTER_CALL(fstatfs),
        FILTER_CALL(newfstatat),
        FILTER_CALL(flock),
        FILTER_CALL(pread64),
        FILTER_CALL(writev),
        FILTER_CALL(ftruncate),
        FILTER_CALL(renameat),
        FILTER_CALL(renameat2),
        FILTER_CALL(close),
        FILTER_CALL(geteuid),

        /* times, the log */
        FILTER_CALL(clock_gettime),
        FILTER_CALL_1(write, FILTER_INT(0, LEDGER_FD_LOG)),
        FILTER_CALL(poll),
        FILTER_CALL(restart_syscall),
        FILTER_CALL(getpid),

        FILTER_MEMORY,
        FILTER_END,
#if SANITIZER
        FILTER_SANITIZER,
#endif
    };

    return filter_install(rules, COUNT(rules), error);
}

int ledger_sandbox_enter(const char *directory, struct error *error)
{
    static const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return error_set_errno(error, EX_OSERR, "cannot forbid core dumps");
    return ledger_sandbox_landlock(directory, error) < 0 || ledger_sandbox_filter(error) < 0 ? -1
                                                                                             : 0;
}
