// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/network.h"
#include "wicket/sources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken are networks, no more than lines; what is refused is said on one line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_network *networks = NULL;
    struct error error = {0};
    size_t count = 0, lines = 1;

    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    if (sources_parse(&networks, &count, "fuzz", data, size, &error) < 0) {
        if (networks || strncmp(error.text, "fuzz:", 5) != 0 || error.exit_code != 78)
            abort();
        for (const char *c = error.text; *c; c++)
            if (*c < ' ' || *c > '~')
                abort();
        return 0;
    }
    if (count > lines)
        abort();
    for (size_t i = 0; i < count; i++) {
        struct config_network again;
        char text[NETWORK_TEXT];

        network_format(text, sizeof(text), &networks[i]);
        if (network_parse(&again, text, NULL) != 0 || !network_contains(&again, &networks[i]))
            abort();
    }
    free(networks);
    return 0;
}
