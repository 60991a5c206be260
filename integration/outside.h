// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* What the programs that come from the lab's host `outside` share: arguments and a clock. */

struct address {
    struct sockaddr_storage socket;
    socklen_t length;
};

uint64_t now_us(void);
/* IPv4 or IPv6. */
bool parse_address(struct address *out, const char *text, uint16_t port);
bool parse_number(uint64_t *out, const char *text, uint64_t low, uint64_t high);
