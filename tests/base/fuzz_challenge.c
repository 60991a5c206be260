// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "require.h"
#include "wicket/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusal(const struct error *error)
{
    require(error->exit_code == 65);
    require(error->text[0] != '\0');
    for (const char *c = error->text; *c; c++)
        require(*c >= 0x20 && *c <= 0x7e);
}

static void check_accepted(const struct challenge *challenge, const char *text, size_t size)
{
    size_t token_length = strlen(challenge->token);
    const char *thumbprint = challenge_thumbprint(challenge);
    struct challenge again;

    require(strlen(challenge->key_authorization) == size);
    require(memcmp(challenge->key_authorization, text, size) == 0);
    require(size == token_length + 1 + CHALLENGE_THUMBPRINT_LENGTH);
    require(memcmp(text, challenge->token, token_length) == 0);
    require(text[token_length] == '.');
    require(strcmp(thumbprint, challenge->key_authorization + token_length + 1) == 0);
    require(challenge_is_token(challenge->token, token_length));
    require(challenge_check_token(challenge->token, token_length, NULL) == 0);
    require(challenge_check_thumbprint(thumbprint, strlen(thumbprint), NULL) == 0);
    require(challenge_is_long(challenge) == (size >= CHALLENGE_VALIDATOR_READS));
    require(challenge_parse(&again, challenge->key_authorization, size, NULL) == 0);
    require(memcmp(&again, challenge, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct challenge challenge;
    struct error error = {0};

    if (challenge_parse(&challenge, text, size, &error) == 0)
        check_accepted(&challenge, text, size);
    else
        check_refusal(&error);

    error = (struct error){0};
    int refused = challenge_check_token(text, size, &error);
    require((refused == 0) == challenge_is_token(text, size));
    if (refused)
        check_refusal(&error);

    error = (struct error){0};
    if (challenge_check_thumbprint(text, size, &error) == 0)
        require(size == CHALLENGE_THUMBPRINT_LENGTH && challenge_is_token(text, size));
    else
        check_refusal(&error);
    return 0;
}
