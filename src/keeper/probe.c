// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum { PROBE_TIMEOUT_MS = 5000 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t address_length(const union address *address)
{
    return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

static void address_set_port(union address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET)
        address->v4.sin_port = htons(port);
    else
        address->v6.sin6_port = htons(port);
}

static uint16_t address_port(const union address *address)
{
    return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port);
}

/* What a host elsewhere could connect to: neither of this host only nor of one link. */
static bool is_global(const union address *address)
{
    if (address->any.sa_family == AF_INET) {
        uint32_t v4 = ntohl(address->v4.sin_addr.s_addr);
        return v4 >> 24 != 127 && v4 >> 16 != 0xa9fe && v4 != 0;
    }
    const struct in6_addr *v6 = &address->v6.sin6_addr;
    return !IN6_IS_ADDR_LOOPBACK(v6) && !IN6_IS_ADDR_LINKLOCAL(v6) &&
           !IN6_IS_ADDR_UNSPECIFIED(v6) && !IN6_IS_ADDR_MULTICAST(v6);
}

/* An address with a label of its own ("eth0:1") is listed by that. */
static bool same_interface(const char *interface, const char *label)
{
    size_t length = strcspn(label, ":");

    return strlen(interface) == length && memcmp(interface, label, length) == 0;
}

static bool in_scope(const struct config *config, const union address *address, const char *name)
{
    bool found = config->redirect.interface_count == 0;

    for (size_t i = 0; i < config->redirect.interface_count && !found; i++)
        found = same_interface(config->redirect.interfaces[i], name);
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

static bool same_address(const union address *one, const union address *other)
{
    if (one->any.sa_family != other->any.sa_family)
        return false;
    return one->any.sa_family == AF_INET
               ? one->v4.sin_addr.s_addr == other->v4.sin_addr.s_addr
               : memcmp(&one->v6.sin6_addr, &other->v6.sin6_addr, sizeof(one->v6.sin6_addr)) == 0;
}

/* `wanted`: the only one that will do; NULL: the first that can be used. */
static int connect_global(int *out_fd, union address *used, struct redirect *redirect,
                          const struct config *config, int family, const union address *wanted,
                          struct error *error)
{
    struct ifaddrs *list;
    int result = 1;

    if (getifaddrs(&list) != 0)
        return error_set_errno(error, EX_OSERR, "cannot list this host's addresses");
    for (const struct ifaddrs *one = list; one != NULL && result == 1; one = one->ifa_next) {
        if (one->ifa_addr == NULL || one->ifa_addr->sa_family != family ||
            (one->ifa_flags & IFF_UP) == 0)
            continue;
        memset(used, 0, sizeof(*used));
        memcpy(used, one->ifa_addr,
               family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        if (is_global(used) && in_scope(config, used, one->ifa_name) &&
            (wanted == NULL || same_address(used, wanted)))
            result = connect_to(out_fd, used, redirect, config, error);
    }
    freeifaddrs(list);
    return result;
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
    int family = used->any.sa_family;
    const void *bytes = family == AF_INET ? (const void *)&used->v4.sin_addr : &used->v6.sin6_addr;

    out->family = family;
    out->port = config->redirect.port;
    inet_ntop(family, bytes, out->address, sizeof(out->address));
}

int probe_connect(int *out_fd, struct control_socket *out, struct redirect *redirect,
                  const struct config *config, int family, bool loopback, struct error *error)
{
    union address used = {0};

    *out_fd = -1;
    out->family = 0;
    int result = loopback ? connect_loopback(out_fd, &used, redirect, config, family, error)
                          : connect_global(out_fd, &used, redirect, config, family, NULL, error);
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

    *out_fd = -1;
    out->family = 0;
    wanted.any.sa_family = (sa_family_t)family;
    if (inet_pton(family, address, bytes) != 1)
        return error_set(error, EX_DATAERR, "a probe was asked for at what is no address");
    int result = connect_global(out_fd, &used, redirect, config, family, &wanted, error);
    if (result == 0)
        describe(out, &used, config);
    return result < 0 ? -1 : 0;
}
