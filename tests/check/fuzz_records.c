// SPDX-License-Identifier: GPL-2.0-or-later
/* What a name server could answer. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size > 0 ? size : 1);

    if (!bytes)
        abort();
    memcpy(bytes, data, size);
    for (uint16_t type = 1; type <= 28; type = (uint16_t)(type + 27)) {
        struct records records = {0};

        records_parse(&records, bytes, size, type);
        assert(records.count <= RECORDS_MAX);
    }
    free(bytes);
    return 0;
}
