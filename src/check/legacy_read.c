// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include "check/legacy.h"

/* The options have the same numbers too. */
static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo) &&
                  offsetof(struct ipt_get_entries, entrytable) ==
                      offsetof(struct ip6t_get_entries, entrytable),
              "one code for both families");

/* Both families say the same in the same way. */
static int read_table(struct firewall *firewall, int fd, bool ipv6, const char *name)
{
    int level = ipv6 ? IPPROTO_IPV6 : IPPROTO_IP;
    struct ipt_getinfo info = {0};
    socklen_t length = sizeof(info);

    memcpy(info.name, name, strnlen(name, sizeof(info.name) - 1));
    if (getsockopt(fd, level, IPT_SO_GET_INFO, &info, &length) != 0)
        return -1;
    struct ipt_get_entries *entries = calloc(1, sizeof(*entries) + info.size);
    if (!entries)
        return -1;
    memcpy(entries->name, info.name, sizeof(entries->name));
    entries->size = info.size;
    length = (socklen_t)(sizeof(*entries) + info.size);
    int result = getsockopt(fd, level, IPT_SO_GET_ENTRIES, entries, &length);
    if (result == 0) {
        struct legacy_table table = {.ipv6 = ipv6,
                                     .name = name,
                                     .valid_hooks = info.valid_hooks,
                                     .bytes = entries->entrytable,
                                     .length = info.size};

        memcpy(table.begin, info.hook_entry, sizeof(table.begin));
        memcpy(table.end, info.underflow, sizeof(table.end));
        if (!legacy_take(firewall, &table)) {
            errno = EBADMSG;
            result = -1;
        }
    }
    free(entries);
    return result;
}

static int read_family(struct firewall *firewall, bool ipv6)
{
    FILE *names = fopen(ipv6 ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names", "re");
    char name[XT_TABLE_MAXNAMELEN + 1];
    int result = 0;

    if (!names)
        return errno == ENOENT ? 0 : -1;
    int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (fd < 0)
        result = -1;
    while (result == 0 && fscanf(names, "%32s", name) == 1)
        result = read_table(firewall, fd, ipv6, name);
    if (fd >= 0)
        close(fd);
    fclose(names);
    return result;
}

int legacy_read(struct firewall *firewall, struct error *error)
{
    if (read_family(firewall, false) < 0 || read_family(firewall, true) < 0)
        return error_set_errno(error, errno == EPERM || errno == EACCES ? EX_NOPERM : EX_OSERR,
                               "the rules of iptables-legacy cannot be read");
    return 0;
}
