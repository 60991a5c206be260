// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/descriptor.h"

#include <sys/socket.h>
#include <unistd.h>

void descriptor_discard(int fd)
{
    /* On with no time to wait is a reset, which is how a passed connection ends early. */
    const struct linger linger = {.l_onoff = 1};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}
