// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/thumbprints.h"

#include <stdlib.h>
#include <string.h>

void thumbprints_init(struct names *thumbprints)
{
    names_init(thumbprints, offsetof(struct thumbprint, text));
}

struct thumbprint *thumbprint_use(struct names *thumbprints, const char *text)
{
    struct thumbprint *thumbprint = (void *)names_find(thumbprints, text, strlen(text));

    if (thumbprint == NULL) {
        thumbprint = calloc(1, sizeof(*thumbprint));
        if (thumbprint == NULL)
            return NULL;
        memcpy(thumbprint->text, text, sizeof(thumbprint->text));
        if (!names_add(thumbprints, &thumbprint->named)) {
            free(thumbprint);
            return NULL;
        }
    }
    thumbprint->uses++;
    return thumbprint;
}

void thumbprint_release(struct names *thumbprints, struct thumbprint *thumbprint)
{
    if (--thumbprint->uses > 0)
        return;
    names_remove(thumbprints, &thumbprint->named);
    free(thumbprint);
}
