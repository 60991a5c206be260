// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/sandbox.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "build.h"
#include "keeper/webroot_create.h"
#include "sandbox/common.h"
#include "sandbox/landlock.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int keeper_sandbox_landlock(const struct config *config, struct error *error)
{
    /* Reading is what it does all over the place: configuration, webroot, /proc. Executing is not
     * worth a fence: the loader that every program needs executes all that can be read. The
     * directories of the webroot are made again when they have gone, wherever that is to be. */
    static const struct landlock_fences fences = {
        .files = LANDLOCK_FILES & ~(LANDLOCK_READ_FILE | LANDLOCK_READ_DIR | LANDLOCK_EXECUTE |
                                    LANDLOCK_MAKE_DIR | LANDLOCK_REMOVE_DIR),
    };
    char directory[sizeof(config->control.socket)];

    snprintf(directory, sizeof(directory), "%s", config->control.socket);
    char *slash = strrchr(directory, '/');
    if (slash != NULL)
        slash[slash == directory] = '\0';
    const struct landlock_exception exceptions[] = {
        {WICKET_RUNTIME_DIR, LANDLOCK_REMOVE_FILE},
        {directory, LANDLOCK_REMOVE_FILE},
    };
    return landlock_restrict(&fences, exceptions, COUNT(exceptions), error);
}

/* What socket(2) takes as a type beside flags. */
#define SOCKET_TYPE 0xf

int keeper_sandbox_filter(struct error *error)
{
    static const uint64_t open_write = O_ACCMODE | O_CREAT | O_TRUNC;
    const struct filter_rule rules[] = {
        /* the loop, and the responder's */
        FILTER_CALL(epoll_wait),
        FILTER_CALL(epoll_pwait),
        FILTER_CALL(epoll_ctl),
        FILTER_CALL(read),
        FILTER_CALL(write),
        FILTER_CALL(close),
        FILTER_CALL(poll),
        FILTER_CALL(ppoll),
        FILTER_CALL(timerfd_settime),
        FILTER_CALL_1(setitimer, FILTER_INT(0, ITIMER_REAL)),
        FILTER_CALL(clock_gettime),
        FILTER_CALL(gettimeofday),
        FILTER_CALL(time),
        FILTER_CALL(restart_syscall),
        FILTER_CALL(writev),

        /* sockets, for whatever they are used once they are there */
        FILTER_CALL(accept4),
        FILTER_CALL(bind),
        FILTER_CALL(connect),
        FILTER_CALL(getpeername),
        FILTER_CALL(getsockname),
        FILTER_CALL(getsockopt),
        FILTER_CALL(recvfrom),
        FILTER_CALL(recvmsg),
        FILTER_CALL(sendmsg),
        FILTER_CALL(sendto),
        FILTER_CALL(setsockopt),
        FILTER_CALL(shutdown),
        /* TCP: the self-check and the pass; netlink: addresses, and the table after a failure */
        FILTER_CALL_3(socket, FILTER_INT(0, AF_INET), FILTER_MASKED(1, SOCKET_TYPE, SOCK_STREAM),
                      FILTER_INT(2, IPPROTO_TCP)),
        FILTER_CALL_3(socket, FILTER_INT(0, AF_INET6), FILTER_MASKED(1, SOCKET_TYPE, SOCK_STREAM),
                      FILTER_INT(2, IPPROTO_TCP)),
        FILTER_CALL_2(socket, FILTER_INT(0, AF_NETLINK), FILTER_INT(2, NETLINK_ROUTE)),
        FILTER_CALL_2(socket, FILTER_INT(0, AF_NETLINK), FILTER_INT(2, NETLINK_NETFILTER)),
        /* the link */
        FILTER_CALL_1(socketpair, FILTER_INT(0, AF_UNIX)),

        /* files: the configuration, the webroot, the kernel's figures */
        FILTER_CALL_1(openat, FILTER_MASKED(2, open_write, O_RDONLY)),
        FILTER_CALL_1(open, FILTER_MASKED(1, open_write, O_RDONLY)),
        FILTER_CALL(openat2), /* Landlock looks at its flags, which are in memory */
        FILTER_CALL(pread64),
        FILTER_CALL(fstat),
        FILTER_CALL(newfstatat),
        FILTER_CALL(stat),
        FILTER_CALL(lstat),
        FILTER_CALL(access),
        FILTER_CALL(faccessat),
        FILTER_CALL(getcwd),
        FILTER_CALL(readlink),
        FILTER_CALL(readlinkat),
        FILTER_CALL(getdents64),
        FILTER_CALL(lseek),
        FILTER_CALL(ftruncate), /* the log */
        FILTER_CALL(inotify_add_watch),
        FILTER_CALL(inotify_rm_watch),
        /* the webroot's directories, when they have gone, and nothing else's owner or mode */
        FILTER_CALL(mkdirat),
        FILTER_CALL_1(fchown, FILTER_INT(1, -1)),
        FILTER_CALL_1(fchmod, FILTER_INT(1, WEBROOT_SHARED)),
        FILTER_CALL(setfsgid),
        FILTER_CALL(umask),
        FILTER_CALL(unlink),
        FILTER_CALL(unlinkat),
        FILTER_CALL(rmdir),

        /* descriptors */
        FILTER_CALL_1(fcntl, FILTER_INT(1, F_DUPFD)),
        FILTER_CALL_1(fcntl, FILTER_INT(1, F_DUPFD_CLOEXEC)),
        FILTER_CALL_1(fcntl, FILTER_INT(1, F_GETFD)),
        FILTER_CALL_1(fcntl, FILTER_INT(1, F_SETFD)),
        FILTER_CALL_1(fcntl, FILTER_INT(1, F_GETFL)),
        FILTER_CALL_1(fcntl, FILTER_INT(1, F_SETFL)),
        FILTER_CALL_1(fcntl, FILTER_INT(1, F_SETPIPE_SZ)),
        FILTER_CALL_1(ioctl, FILTER_INT(1, FIONREAD)),
        FILTER_CALL_1(ioctl, FILTER_INT(1, SIOCOUTQ)),
        FILTER_CALL(dup2),
        FILTER_CALL(dup3),
        FILTER_CALL(close_range),
        FILTER_CALL(pipe2),
        FILTER_CALL(splice),
        FILTER_CALL(epoll_create1),

        /* memory; what is executed comes from a file */
        FILTER_CALL(brk),
        FILTER_CALL_1(mmap, FILTER_FLAGS(2, 0, PROT_READ | PROT_WRITE)),
        FILTER_CALL_2(mmap, FILTER_FLAGS(2, PROT_EXEC, PROT_READ),
                      FILTER_MASKED(3, MAP_ANONYMOUS | MAP_SHARED, 0)),
        FILTER_CALL(munmap),
        FILTER_CALL(mremap),
        FILTER_CALL_1(mprotect, FILTER_FLAGS(2, 0, PROT_READ | PROT_WRITE)),
        FILTER_CALL(madvise),
        FILTER_CALL(futex),
        FILTER_CALL(getrandom),
        FILTER_CALL(sysinfo), /* qsort asks how much memory there is */

        /* a responder's begin: a process of its own, with no namespace of its own */
        FILTER_CALL_1(clone, FILTER_FLAGS(0, SIGCHLD, CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)),
        FILTER_CALL(execve),
        FILTER_CALL(setsid),
        FILTER_CALL(set_robust_list),
        FILTER_CALL(set_tid_address),
        FILTER_CALL(arch_prctl),
        FILTER_CALL(rseq),
        /* and its end */
        FILTER_CALL(pidfd_open),
        FILTER_CALL_1(pidfd_send_signal, FILTER_INT(1, SIGKILL)),
        FILTER_CALL(waitid),

        /* what it does until its own fences are up */
        FILTER_CALL(chdir),
        FILTER_CALL(chroot),
        FILTER_CALL(fchdir),
        FILTER_CALL(setgroups),
        FILTER_CALL(setresgid),
        FILTER_CALL(setresuid), /* the keeper too, to kill it */
        FILTER_CALL(capget),
        FILTER_CALL(capset),
        FILTER_CALL_1(prlimit64, FILTER_INT(0, 0)),
        FILTER_CALL(getrlimit),
        FILTER_CALL(setrlimit),
        FILTER_CALL_1(prctl, FILTER_INT(0, PR_CAPBSET_READ)),
        FILTER_CALL_1(prctl, FILTER_INT(0, PR_CAPBSET_DROP)),
        FILTER_CALL_1(prctl, FILTER_INT(0, PR_CAP_AMBIENT)),
        FILTER_CALL_1(prctl, FILTER_INT(0, PR_GET_NO_NEW_PRIVS)),
        FILTER_CALL_1(prctl, FILTER_INT(0, PR_SET_NO_NEW_PRIVS)),
        FILTER_CALL_1(prctl, FILTER_INT(0, PR_SET_DUMPABLE)),
        FILTER_CALL_1(prctl, FILTER_INT(0, PR_SET_PDEATHSIG)),
        FILTER_CALL_1(prctl, FILTER_INT(0, PR_GET_SECCOMP)),
        FILTER_CALL(seccomp),
        FILTER_CALL(landlock_create_ruleset),
        FILTER_CALL(landlock_add_rule),
        FILTER_CALL(landlock_restrict_self),

        /* who one is */
        FILTER_CALL(getpid),
        FILTER_CALL(getppid),
        FILTER_CALL(gettid),
        FILTER_CALL(getuid),
        FILTER_CALL(geteuid),
        FILTER_CALL(getgid),
        FILTER_CALL(getegid),
        FILTER_CALL(getresuid),
        FILTER_CALL(getresgid),
        FILTER_CALL(getgroups),

        /* the end; abort() sends a signal */
        FILTER_CALL(exit_group),
        FILTER_CALL(exit),
        FILTER_CALL(rt_sigreturn),
        FILTER_CALL(rt_sigaction),
        FILTER_CALL(rt_sigprocmask),
        FILTER_CALL_1(tgkill, FILTER_INT(2, SIGABRT)),

#if SANITIZER
        FILTER_SANITIZER,
#endif
    };

    return filter_install(rules, COUNT(rules), error);
}

int keeper_sandbox_enter(const struct config *config, struct error *error)
{
    return keeper_sandbox_landlock(config, error) < 0 || keeper_sandbox_filter(error) < 0 ? -1 : 0;
}
