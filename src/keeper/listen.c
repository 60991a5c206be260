// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

enum { CONTROL_BACKLOG = 64, RESPONDER_BACKLOG = 4096 };

static void control_address(struct sockaddr_un *out, const struct config *config)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, config->control.socket, strlen(config->control.socket));
}

/* Removes what a dead keeper left; `path` is free afterwards, or -1. */
static int make_room(const struct config *config, struct error *error)
{
    const char *path = config->control.socket;
    struct sockaddr_un address;
    struct stat status;

    if (lstat(path, &status) != 0)
        return errno == ENOENT ? 0
                               : error_set_errno(error, EX_CANTCREAT,
                                                 "cannot examine the control socket %s", path);
    if (!S_ISSOCK(status.st_mode))
        return error_set(error, EX_CANTCREAT,
                         "%s is in the way of the control socket and is no socket; remove it",
                         path);
    if (status.st_uid != geteuid())
        return error_set(
            error, EX_CANTCREAT,
            "the control socket %s belongs to uid %u; remove it, or set control.socket to another "
            "path",
            path, (unsigned int)status.st_uid);

    int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return error_set_errno(error, EX_OSERR, "cannot make a socket");
    control_address(&address, config);
    int connected = connect(probe, (const struct sockaddr *)&address, sizeof(address));
    int reason = errno;
    close(probe);
    if (connected == 0 || reason != ECONNREFUSED)
        return error_set(
            error, EX_CANTCREAT,
            "another program listens at %s; stop it, or set control.socket to another path", path);
    if (unlink(path) != 0)
        return error_set_errno(error, EX_CANTCREAT, "cannot remove the stale %s", path);
    return 0;
}

int listen_control(int *out_fd, const struct config *config, const struct account *account,
                   struct error *error)
{
    const char *path = config->control.socket;
    struct sockaddr_un address;

    if (make_room(config, error) < 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set_errno(error, EX_OSERR, "cannot make the control socket");

    control_address(&address, config);
    /* Nobody gets in between bind and chmod. */
    mode_t mask = umask(0177);
    int bound = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    int reason = errno;
    umask(mask);
    if (bound != 0) {
        close(fd);
        errno = reason;
        return error_set_errno(error, EX_CANTCREAT, "cannot create the control socket %s", path);
    }

    bool shared = account->has_control_group && chown(path, (uid_t)-1, account->control_gid) == 0;
    if (account->has_control_group && !shared && errno != EPERM) {
        error_set_errno(error, EX_CANTCREAT, "cannot hand %s to group %s", path,
                        config->control.group);
        goto fail;
    }
    if (chmod(path, shared ? 0660 : 0600) != 0 || listen(fd, CONTROL_BACKLOG) != 0) {
        error_set_errno(error, EX_CANTCREAT, "cannot set up the control socket %s", path);
        goto fail;
    }
    *out_fd = fd;
    return 0;

fail:
    close(fd);
    unlink(path);
    return -1;
}

void listen_remove_control(const struct config *config)
{
    unlink(config->control.socket);
}

static int bind_port(int fd, int family, uint16_t port)
{
    const struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT};
    const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};

    return family == AF_INET6 ? bind(fd, (const struct sockaddr *)&v6, sizeof(v6))
                              : bind(fd, (const struct sockaddr *)&v4, sizeof(v4));
}

/* What the connections to come inherit. Passed bytes wait for nothing, an urgent one among them
 * stays in its place, and a visitor who is gone without a word is found out in two minutes. */
static bool set_options(int fd)
{
    static const struct {
        int level, option, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},    {SOL_SOCKET, SO_OOBINLINE, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},    {IPPROTO_TCP, TCP_KEEPIDLE, 60},
        {IPPROTO_TCP, TCP_KEEPINTVL, 15}, {IPPROTO_TCP, TCP_KEEPCNT, 4},
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (setsockopt(fd, options[i].level, options[i].option, &options[i].value,
                       sizeof(options[i].value)) != 0)
            return false;
    return true;
}

static int set_transparent(int fd, int family, bool transparent)
{
    const int value = transparent;

    return family == AF_INET6
               ? setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &value, sizeof(value))
               : setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &value, sizeof(value));
}

int listen_set_transparent(const int *fds, unsigned int count, bool transparent,
                           struct error *error)
{
    for (unsigned int i = 0; i < count; i++) {
        int family = AF_UNSPEC;
        socklen_t length = sizeof(family);

        if (getsockopt(fds[i], SOL_SOCKET, SO_DOMAIN, &family, &length) != 0 ||
            set_transparent(fds[i], family, transparent) != 0)
            return error_set_errno(error, EX_OSERR,
                                   "cannot make the responder's socket %s for redirect.method",
                                   transparent ? "transparent" : "ordinary");
    }
    return 0;
}

bool listen_restore(int fd)
{
    const struct linger none = {.l_onoff = 0};
    const int off = 0;
    int listening = 0;
    socklen_t length = sizeof(listening);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0)
        return false;
    if (listening == 0) {
        errno = EINVAL;
        return false;
    }
    return set_options(fd) && setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off)) == 0;
}

/* The wildcard address: `redirect` sends a connection to the address of the interface it came in
 * by. 1: the host does not have this family. */
static int listen_family(int *out_fd, int family, uint16_t port, struct error *error)
{
    const int one = 1;

    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd < 0) {
        if (family == AF_INET6 && errno == EAFNOSUPPORT)
            return 1;
        return error_set_errno(error, EX_OSERR, "cannot make the responder's socket");
    }
    if (!set_options(fd) || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0)) {
        error_set_errno(error, EX_OSERR, "cannot set up the responder's socket");
        close(fd);
        return -1;
    }
    if (bind_port(fd, family, port) != 0 || listen(fd, RESPONDER_BACKLOG) != 0) {
        int reason = errno;
        close(fd);
        if (family == AF_INET6 && reason == EADDRNOTAVAIL)
            return 1;
        if (reason == EADDRINUSE)
            return error_set(error, EX_CANTCREAT,
                             "port %u is taken by another program (see: ss -ltnp sport = :%u); set "
                             "responder.port to a free one",
                             port, port);
        errno = reason;
        return error_set_errno(error, EX_CANTCREAT, "cannot listen on port %u", port);
    }
    *out_fd = fd;
    return 0;
}

int listen_responder(int out_fds[LISTEN_RESPONDER_MAX], unsigned int *out_count,
                     const struct config *config, struct error *error)
{
    *out_count = 0;
    if (listen_family(&out_fds[0], AF_INET, config->responder.port, error) != 0)
        return -1;
    *out_count = 1;
    switch (listen_family(&out_fds[1], AF_INET6, config->responder.port, error)) {
    case 0:
        *out_count = 2;
        break;
    case 1:
        break;
    default:
        close(out_fds[0]);
        *out_count = 0;
        return -1;
    }
    if (config->redirect.method != CONFIG_METHOD_TPROXY ||
        listen_set_transparent(out_fds, *out_count, true, error) == 0)
        return 0;
    while (*out_count > 0)
        close(out_fds[--*out_count]);
    return -1;
}
