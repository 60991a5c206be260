// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdio.h>

#include "check/check.h"

#define SUBJECT "conntrack"
#define PATH    "/proc/sys/net/netfilter/nf_conntrack_"

/* The keeper opens no window above 90. */
#define FULL_PERCENT 80

static bool read_number(const char *path, uint64_t *out)
{
    FILE *file = fopen(path, "re");
    bool good = file && fscanf(file, "%" SCNu64, out) == 1;

    if (file)
        fclose(file);
    return good;
}

void check_conntrack(struct check *check)
{
    uint64_t count, max;

    /* It comes with the first table that needs it, which check_kernel tries. */
    if (!read_number(PATH "count", &count) || !read_number(PATH "max", &max))
        return;
    if (max > 0 && count * 100 > max * FULL_PERCENT)
        findings_add(&check->report, LEVEL_FINDING, SUBJECT, NULL,
                     "sysctl -w net.netfilter.nf_conntrack_max=NUMBER",
                     "connection tracking has %" PRIu64 " of %" PRIu64
                     " entries: above 90 percent no window is opened",
                     count, max);
}
