// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "keeper/addresses.h"

enum { PROBE_TIMEOUT_MS = 5000 };

/* What a host elsewhere could connect to: neither of this host only nor of one link. */
static bool is_global(const union address *address)
{
    if (address->any.sa_family == AF_INET) {
        uint32_t v4 = ntohl(address->v4.sin_addr.s_addr);
        return !address_is_loopback(address) && v4 >> 16 != 0xa9fe && v4 != 0;
    }
    const struct in6_addr *v6 = &address->v6.sin6_addr;
    return !address_is_loopback(address) && !address_is_link_local(address) &&
           !IN6_IS_ADDR_UNSPECIFIED(v6) && !IN6_IS_ADDR_MULTICAST(v6);
}

static bool in_scope(const struct config *config, const union address *address, const char *name)
{
    bool found = config->redirect.interface_count == 0;

    for (size_t i = 0; i < config->redirect.interface_count && !found; i++)
        found = strcmp(config->redirect.interfaces[i], name) == 0;
    if (!found || config->redirect.address_count == 0)
        return found;

    for (size_t i = 0; i < config->redirect.address_count; i++) {
        const struct config_network *one = &config->redirect.addresses[i];
        if (one->family != address->any.sa_family)
            continue;
        if (one->family == AF_INET
                ? one->address.v4.s_addr == address->v4.sin_addr.s_addr
                : memcmp(&one->address.v6, &address->v6.sin6_addr, sizeof(one->address.v6)) == 0)
            return true;
    }
    return false;
}

/*
 * Binds to the address and a free port, names that port to the redirect, and connects from the
 * address to itself. 1: the address cannot be used (yet), such as an IPv6 one still being checked
 * for duplicates.
 */
static int connect_to(int *out_fd, const union address *address, struct redirect *redirect,
                      const struct config *config, struct error *error)
{
    union address source = *address, target = *address;
    socklen_t length = sizeof(source);

    int fd =
        socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd < 0)
        return errno == EAFNOSUPPORT
                   ? 1
                   : error_set_errno(error, EX_TEMPFAIL, "cannot make a socket for the self-check");

    address_set_port(&source, 0);
    if (bind(fd, &source.any, address_length(&source)) != 0) {
        close(fd);
        return 1;
    }
    address_set_port(&target, config->redirect.port);
    if (getsockname(fd, &source.any, &length) != 0)
        error_set_errno(error, EX_OSERR, "cannot name the self-check's port");
    else if (redirect_probe(redirect, address_port(&source), PROBE_TIMEOUT_MS, error) == 0) {
        if (connect(fd, &target.any, address_length(&target)) == 0 || errno == EINPROGRESS) {
            *out_fd = fd;
            return 0;
        }
        error_set_errno(error, EX_TEMPFAIL, "cannot connect to port %u of this host",
                        config->redirect.port);
    }
    close(fd);
    return -1;
}

struct search {
    int *out_fd;
    union address *used;
    struct redirect *redirect;
    const struct config *config;
    int family;
    const union address *wanted; /* the only one that will do; NULL: the first that can be used */
    struct error *error;
    int result; /* as of connect_to() */
};

static bool try_address(const struct host_address *found, void *context)
{
    struct search *search = context;

    if (found->address.any.sa_family != search->family || !is_global(&found->address) ||
        !in_scope(search->config, &found->address, found->interface) ||
        (search->wanted != NULL && !address_is_same(&found->address, search->wanted)))
        return true;
    *search->used = found->address;
    search->result =
        connect_to(search->out_fd, search->used, search->redirect, search->config, search->error);
    return search->result == 1;
}

static int connect_global(struct search *search)
{
    search->result = 1;
    if (addresses_list(try_address, search) != 0)
        return error_set_errno(search->error, EX_OSERR, "cannot list this host's addresses");
    return search->result;
}

static int connect_loopback(int *out_fd, union address *used, struct redirect *redirect,
                            const struct config *config, int family, struct error *error)
{
    memset(used, 0, sizeof(*used));
    used->any.sa_family = (sa_family_t)family;
    if (family == AF_INET)
        used->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        used->v6.sin6_addr = in6addr_loopback;
    return connect_to(out_fd, used, redirect, config, error);
}

static void describe(struct control_socket *out, const union address *used,
                     const struct config *config)
{
    size_t length;
    const void *bytes = address_bytes(used, &length);

    out->family = used->any.sa_family;
    out->port = config->redirect.port;
    inet_ntop(out->family, bytes, out->address, sizeof(out->address));
}

int probe_connect(int *out_fd, struct control_socket *out, struct redirect *redirect,
                  const struct config *config, int family, bool loopback, struct error *error)
{
    union address used = {0};
    struct search search = {out_fd, &used, redirect, config, family, NULL, error, 1};

    *out_fd = -1;
    out->family = 0;
    int result = loopback ? connect_loopback(out_fd, &used, redirect, config, family, error)
                          : connect_global(&search);
    if (result == 0)
        describe(out, &used, config);
    return result < 0 ? -1 : 0;
}

int probe_connect_at(int *out_fd, struct control_socket *out, struct redirect *redirect,
                     const struct config *config, const char *address, struct error *error)
{
    union address wanted = {0}, used = {0};
    int family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
    void *bytes = family == AF_INET ? (void *)&wanted.v4.sin_addr : &wanted.v6.sin6_addr;
    struct search search = {out_fd, &used, redirect, config, family, &wanted, error, 1};

    *out_fd = -1;
    out->family = 0;
    wanted.any.sa_family = (sa_family_t)family;
    if (inet_pton(family, address, bytes) != 1)
        return error_set(error, EX_DATAERR, "a probe was asked for at what is no address");
    int result = connect_global(&search);
    if (result == 0)
        describe(out, &used, config);
    return result < 0 ? -1 : 0;
}
