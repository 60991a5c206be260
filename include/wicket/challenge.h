// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "wicket/error.h"

/*
 * The rules of a challenge (RFC 8555 sections 8.1 and 8.3). Whatever enters (a hook, the command
 * line, a file, a message) goes through these functions and nothing else.
 *
 *   token              1 to 256 characters of the base64url alphabet, A-Z a-z 0-9 - _, no padding
 *   thumbprint         the 43 characters of an unpadded base64url SHA-256 (RFC 7638)
 *   key authorization  token "." thumbprint
 */

#define CHALLENGE_TOKEN_MAX             256
#define CHALLENGE_THUMBPRINT_LENGTH     43
#define CHALLENGE_KEY_AUTHORIZATION_MAX (CHALLENGE_TOKEN_MAX + 1 + CHALLENGE_THUMBPRINT_LENGTH)
/* Boulder (Let's Encrypt) reads 128 bytes of an answer: va/http.go, maxResponseSize. */
#define CHALLENGE_VALIDATOR_READS 128
#define CHALLENGE_PATH_PREFIX     "/.well-known/acme-challenge/"

struct challenge {
    char token[CHALLENGE_TOKEN_MAX + 1];
    char key_authorization[CHALLENGE_KEY_AUTHORIZATION_MAX + 1];
};

/* Both are 65 (EX_DATAERR) with what is wrong, the text quoted safely. `text` needs no NUL, and a
 * NUL inside it is a bad character like any other. Nothing is trimmed. */
int challenge_check_token(const char *text, size_t length, struct error *error);
int challenge_check_thumbprint(const char *text, size_t length, struct error *error);
int challenge_parse(struct challenge *out, const char *text, size_t length, struct error *error);

/* The last 43 characters of the key authorization. */
const char *challenge_thumbprint(const struct challenge *challenge);

/* token "." thumbprint, of a well-formed thumbprint; returns `out`. `token` needs no NUL. */
char *challenge_join(char out[CHALLENGE_KEY_AUTHORIZATION_MAX + 1], const char *token,
                     size_t length, const char *thumbprint);

/* Whether the key authorization has CHALLENGE_VALIDATOR_READS bytes or more: taken, with a warning.
 */
bool challenge_is_long(const struct challenge *challenge);

/* Whether `length` bytes are a well-formed token; for those who need no reason. */
bool challenge_is_token(const char *text, size_t length);
