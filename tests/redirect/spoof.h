// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdint.h>

#include "lab.h"

/* First packets of TCP connections from addresses that are not the sender's own. */
struct spoof {
    int raw4, raw6;
};

/* In the namespace outside. */
void spoof_init(struct spoof *spoof, const struct lab *lab);
void spoof_deinit(struct spoof *spoof);

/* A SYN to LAB_PRODUCTION; `source` and `destination` are numeric, of one family. */
void spoof_send(const struct spoof *spoof, const char *source, const char *destination,
                uint16_t source_port);
