// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/sandbox.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "build.h"
#include "responder/destination.h"
#include "sandbox/common.h"
#include "sandbox/landlock.h"
#include "wicket/link.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* No other: with MSG_FASTOPEN a send is a connect, of any TCP socket that is not connected. */
#define SEND_FLAGS (MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE)

static int set_limit(__rlimit_resource_t resource, rlim_t value, const char *name,
                     struct error *error)
{
    const struct rlimit limit = {value, value};

    return setrlimit(resource, &limit) == 0 ? 0 : error_set_errno(error, EX_SOFTWARE, "%s", name);
}

int responder_sandbox_limit(size_t descriptors, struct error *error)
{
    if (!WICKET_SANDBOX)
        return 0;
    if (set_limit(RLIMIT_FSIZE, 0, "RLIMIT_FSIZE", error) < 0 ||
        set_limit(RLIMIT_CORE, 0, "RLIMIT_CORE", error) < 0 ||
        set_limit(RLIMIT_NOFILE, descriptors, "RLIMIT_NOFILE", error) < 0)
        return -1;
    /* Root's processes are not counted: in sidecar mode it may be the list alone that forbids
     * fork. The search for leaks starts a process. */
    return SANITIZER ? 0 : set_limit(RLIMIT_NPROC, 0, "RLIMIT_NPROC", error);
}

int responder_sandbox_landlock(struct error *error)
{
    static const struct landlock_fences fences = {
        .files = LANDLOCK_FILES,
        .tcp = LANDLOCK_BIND | LANDLOCK_CONNECT,
        .scoped = LANDLOCK_ABSTRACT_SOCKETS | LANDLOCK_SIGNALS,
    };
    static const struct landlock_exception exceptions[] = {
        {"/proc", SANITIZER ? LANDLOCK_READ_FILE | LANDLOCK_READ_DIR : 0},
    };

    return landlock_restrict(&fences, exceptions, COUNT(exceptions), error);
}

/*
 * The listeners are the keeper's and those of the responders to come, and one that is shut down is
 * none for ever: so that is for descriptors behind them only, and so is making another number for
 * one. The kernel looks at 32 bits of a number: it is over 8 when one of these from the fifth on is
 * set, or the fourth and another.
 */
enum { BEHIND_LISTENERS = 27 + 3 };
static_assert(LINK_FD_LISTEN + 1 == 8, "from 9 on they are allowed below");

static size_t allow_behind_listeners(struct filter_rule *out, struct filter_rule rule)
{
    struct scmp_arg_cmp *fd = &rule.arguments[rule.count++];
    size_t count = 0;

    for (unsigned int bit = 0; bit < 31; bit++) {
        uint32_t mask = UINT32_C(1) << bit | (bit < 3 ? UINT32_C(8) : 0);

        if (bit == 3)
            continue;
        *fd = FILTER_MASKED(0, mask, mask);
        out[count++] = rule;
    }
    return count;
}

int responder_sandbox_filter(struct error *error)
{
    const struct filter_rule rules[] = {
        /* the loop */
        FILTER_CALL(epoll_wait),
        FILTER_CALL(epoll_pwait),
        FILTER_CALL(epoll_ctl),
        FILTER_CALL(clock_gettime),
        FILTER_CALL(gettimeofday),
        FILTER_CALL(time),
        FILTER_CALL(restart_syscall),

        /* connections, and the link with the descriptors that come through it */
        FILTER_CALL(accept4),
        FILTER_CALL(close),
        FILTER_CALL(getsockname),
        FILTER_CALL(recvfrom),
        FILTER_CALL(recvmsg),
        FILTER_CALL_1(sendmsg, FILTER_FLAGS(2, 0, SEND_FLAGS)),
        /* to whom the socket is connected */
        FILTER_CALL_2(sendto, FILTER_NULL(4), FILTER_FLAGS(3, 0, SEND_FLAGS)),
        FILTER_CALL_2(setsockopt, FILTER_INT(1, SOL_SOCKET), FILTER_INT(2, SO_LINGER)),
        FILTER_CALL_2(setsockopt, FILTER_INT(1, IPPROTO_TCP), FILTER_INT(2, TCP_DEFER_ACCEPT)),
        FILTER_CALL_2(setsockopt, FILTER_INT(1, IPPROTO_TCP), FILTER_INT(2, TCP_NODELAY)),
        FILTER_CALL_2(setsockopt, FILTER_INT(1, IPPROTO_TCP), FILTER_INT(2, TCP_CORK)),
        FILTER_CALL_2(getsockopt, FILTER_INT(1, SOL_IP), FILTER_INT(2, DESTINATION_ORIGINAL)),
        FILTER_CALL_2(getsockopt, FILTER_INT(1, SOL_IPV6), FILTER_INT(2, DESTINATION_ORIGINAL)),
        FILTER_CALL_1(ioctl, FILTER_INT(1, FIONREAD)),
        FILTER_CALL_1(ioctl, FILTER_INT(1, SIOCOUTQ)),
        FILTER_CALL_1(fcntl, FILTER_INT(1, F_GETFD)),
        FILTER_CALL_1(fcntl, FILTER_INT(1, F_SETFD)),
        FILTER_CALL_1(fcntl, FILTER_INT(1, F_GETFL)),
        FILTER_CALL_1(fcntl, FILTER_INT(1, F_SETFL)),

        /* the pass */
        FILTER_CALL(splice),
        FILTER_CALL(pipe2),
        FILTER_CALL_1(fcntl, FILTER_INT(1, F_SETPIPE_SZ)),

        /* the log, a pipe; writev is the C library's, before it aborts */
        FILTER_CALL(poll),
        FILTER_CALL(ppoll),
        FILTER_CALL_1(write, FILTER_INT(0, LINK_FD_LOG)),
        FILTER_CALL_1(writev, FILTER_INT(0, LINK_FD_LOG)),
        FILTER_CALL(getpid),

        FILTER_MEMORY,
        FILTER_CALL_1(madvise, FILTER_INT(2, MADV_DONTNEED)),
        FILTER_END,
#if SANITIZER
        FILTER_SANITIZER,
#endif
    };

    struct filter_rule all[COUNT(rules) + 2 * BEHIND_LISTENERS];

    memcpy(all, rules, sizeof(rules));
    size_t count = COUNT(rules);
    count += allow_behind_listeners(all + count, FILTER_CALL(shutdown));
    count +=
        allow_behind_listeners(all + count, FILTER_CALL_1(fcntl, FILTER_INT(1, F_DUPFD_CLOEXEC)));
    return filter_install(all, count, error);
}

int responder_sandbox_enter(size_t descriptors, struct error *error)
{
    /* The list takes away what the other steps need. */
    return responder_sandbox_limit(descriptors, error) < 0 ||
                   responder_sandbox_landlock(error) < 0 || responder_sandbox_filter(error) < 0
               ? -1
               : 0;
}
