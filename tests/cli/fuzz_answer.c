// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "cli/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A verdict before the end holds at the end, and every piece lies within the bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > ANSWER_MAX) {
        return 0;
    }
    const char *bytes = (const char *)data;
    struct answer answer;
    struct answer whole;
    const enum answer_state early = answer_parse(&answer, bytes, size, false);
    const enum answer_state late = answer_parse(&whole, bytes, size, true);
    if (late == ANSWER_INCOMPLETE || (early != ANSWER_INCOMPLETE && early != late)) {
        abort();
    }
    if (late != ANSWER_COMPLETE) {
        return 0;
    }
    if (whole.status < 100 || whole.status > 599 ||
        (whole.server != NULL &&
         (whole.server < bytes || whole.server_length > (size_t)(bytes + size - whole.server))) ||
        (whole.status == 200 &&
         (whole.body < bytes || whole.body_length > (size_t)(bytes + size - whole.body)))) {
        abort();
    }
    return 0;
}
