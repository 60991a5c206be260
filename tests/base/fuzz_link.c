// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "require.h"
#include "wicket/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is written into the ledger as it stands. */
static bool is_printable(const char *text, size_t size)
{
    size_t length = strnlen(text, size);

    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    }
    return length < size;
}

static void check_accepted(const union link_message *message)
{
    struct challenge challenge;

    switch ((enum link_type)message->header.type) {
    case LINK_SETUP:
        require(message->setup.listeners == 1 || message->setup.listeners == 2);
        require(message->setup.sidecar || (message->setup.uid != 0 && message->setup.gid != 0));
        require(message->setup.undecided_per_address >= 1);
        require(message->setup.undecided_per_address <= message->setup.undecided);
        require(message->setup.deadline_ms > 0 && message->setup.first_byte_ms > 0);
        break;
    case LINK_TOKEN:
        require(challenge_parse(&challenge, message->token.key_authorization,
                                strlen(message->token.key_authorization), NULL) == 0);
        break;
    case LINK_FORGET:
        require(challenge_is_token(message->forget.token, strlen(message->forget.token)));
        break;
    case LINK_STATELESS:
        require(message->stateless.thumbprint[0] == '\0' ||
                challenge_check_thumbprint(message->stateless.thumbprint,
                                           strlen(message->stateless.thumbprint), NULL) == 0);
        break;
    case LINK_VALIDATION:
        require(challenge_is_token(message->validation.token, strlen(message->validation.token)));
        require(is_printable(message->validation.host, sizeof(message->validation.host)));
        require(
            is_printable(message->validation.user_agent, sizeof(message->validation.user_agent)));
        break;
    case LINK_PONG:
        require((message->pong.exhausted & ~7u) == 0 && message->pong.reserved == 0);
        require(message->pong.passing <= message->pong.connections);
        require((message->pong.unknown == 0) == (message->pong.unknown_family == 0));
        break;
    case LINK_DRAINED:
        require(message->drained.sequence != 0);
        break;
    case LINK_PASS:
        require(message->pass.id != 0 && link_message_carries(message));
        break;
    case LINK_PASSED:
        require(message->passed.id != 0);
        require(!message->passed.connected || link_message_carries(message));
        break;
    case LINK_PING:
    case LINK_DRAIN:
    case LINK_READY:
    case LINK_CROWDED:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* No longer than the message is, so that the sanitizer sees a read behind its end. */
    union link_message *message = malloc(size > 0 ? size : 1);
    struct error error = {0};

    require(message);
    if (size > 0)
        memcpy(message, data, size);
    if (link_message_check(message, size, &error) == 0) {
        require(size == link_message_length(message->header.type));
        check_accepted(message);
    } else {
        require(error.exit_code == 65 && error.text[0] != '\0');
    }
    free(message);
    return 0;
}
