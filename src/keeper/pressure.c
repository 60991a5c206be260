// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/pressure.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "wicket/link.h"

#define CONNTRACK "/proc/sys/net/netfilter/nf_conntrack_"

enum { CONNTRACK_PERCENT = 90 };

void pressure_init(struct pressure *pressure)
{
    pressure->conntrack_count_fd = open(CONNTRACK "count", O_RDONLY | O_CLOEXEC);
    pressure->conntrack_max_fd = open(CONNTRACK "max", O_RDONLY | O_CLOEXEC);
    pressure->exhausted = 0;
}

void pressure_deinit(struct pressure *pressure)
{
    if (pressure->conntrack_count_fd >= 0)
        close(pressure->conntrack_count_fd);
    if (pressure->conntrack_max_fd >= 0)
        close(pressure->conntrack_max_fd);
    pressure->conntrack_count_fd = pressure->conntrack_max_fd = -1;
}

/* 0 when it cannot be read. */
static unsigned long long read_number(int fd)
{
    char text[32] = "";

    if (fd < 0 || pread(fd, text, sizeof(text) - 1, 0) <= 0)
        return 0;
    return strtoull(text, NULL, 10);
}

int pressure_check(const struct pressure *pressure, struct error *error)
{
    unsigned long long count = read_number(pressure->conntrack_count_fd);
    unsigned long long max = read_number(pressure->conntrack_max_fd);

    if (max != 0 && count * 100 > max * CONNTRACK_PERCENT)
        return error_set(error, EX_TEMPFAIL,
                         "the connection tracking table is nearly full (%llu of %llu): raise "
                         "net.netfilter.nf_conntrack_max",
                         count, max);
    if ((pressure->exhausted & LINK_EXHAUSTED_FDS) != 0)
        return error_set(error, EX_TEMPFAIL, "the responder ran out of file descriptors");
    if ((pressure->exhausted & LINK_EXHAUSTED_MEMORY) != 0)
        return error_set(error, EX_TEMPFAIL, "the responder ran out of memory");

    if ((pressure->exhausted & LINK_EXHAUSTED_PASSES) != 0)
        return error_set(error, EX_TEMPFAIL,
                         "the responder passes as many visitors as its file descriptors allow: "
                         "start the keeper with a higher limit of open files");

    int spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (spare < 0)
        return error_set_errno(error, EX_TEMPFAIL, "the keeper ran out of file descriptors");
    close(spare);
    return 0;
}
