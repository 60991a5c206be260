// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/hooks/certbot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRIES_MAX 16

/* The input is an environment, one entry a line. What is accepted is a challenge of the rules. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    char *environment[ENTRIES_MAX + 1] = {NULL};
    size_t count = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL && count < ENTRIES_MAX;
         line = strsep(&rest, "\n")) {
        environment[count++] = line;
    }
    struct certbot_call call;
    struct error error = {0};
    if (certbot_read_environment(&call, environment, &error) == 0) {
        struct challenge again;
        if (challenge_parse(&again, call.challenge.key_authorization,
                            strlen(call.challenge.key_authorization), &error) < 0 ||
            call.domain[0] == '\0') {
            abort();
        }
        certbot_guess_phase(&call);
    } else if (error.text[0] == '\0' || strpbrk(error.text, "\n\x1b") != NULL) {
        abort();
    }
    free(text);
    return 0;
}
