// SPDX-License-Identifier: GPL-2.0-or-later
#include "wicket/challenge.h"

#include <string.h>
#include <sysexits.h>

#include "wicket/quote.h"

#define ALPHABET "A-Z a-z 0-9 - _"

static bool is_base64url(unsigned char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
}

/* The first byte that is not of the alphabet, or `length`. */
static size_t find_bad(const char *text, size_t length)
{
    size_t i = 0;
    while (i < length && is_base64url((unsigned char)text[i]))
        i++;
    return i;
}

/* What people really paste, and what is wrong with it. */
static const char *bad_hint(unsigned char byte)
{
    switch (byte) {
    case '=':
        return " (ACME uses no padding)";
    case '+':
    case '/':
        return " (this is plain base64, not base64url)";
    case '\n':
    case '\r':
    case ' ':
    case '\t':
        return " (white space)";
    default:
        return "";
    }
}

static int refuse_character(const char *what, const char *text, size_t length, size_t bad,
                            struct error *error)
{
    return error_set(error, EX_DATAERR, "%s %s: character %zu is %s%s; only %s are allowed", what,
                     QUOTE(text, length), bad + 1, QUOTE(text + bad, 1),
                     bad_hint((unsigned char)text[bad]), ALPHABET);
}

int challenge_check_token(const char *text, size_t length, struct error *error)
{
    if (length == 0)
        return error_set(error, EX_DATAERR, "the token is empty: it has 1 to %d characters",
                         CHALLENGE_TOKEN_MAX);
    size_t bad = find_bad(text, length);
    if (bad < length)
        return refuse_character("token", text, length, bad, error);
    if (length > CHALLENGE_TOKEN_MAX)
        return error_set(error, EX_DATAERR, "token %s has %zu characters: at most %d are allowed",
                         QUOTE(text, length), length, CHALLENGE_TOKEN_MAX);
    return 0;
}

int challenge_check_thumbprint(const char *text, size_t length, struct error *error)
{
    size_t bad = find_bad(text, length);
    if (bad < length)
        return refuse_character("thumbprint", text, length, bad, error);
    if (length != CHALLENGE_THUMBPRINT_LENGTH)
        return error_set(
            error, EX_DATAERR,
            "thumbprint %s has %zu characters: the thumbprint of an account key has %d",
            QUOTE(text, length), length, CHALLENGE_THUMBPRINT_LENGTH);
    return 0;
}

int challenge_parse(struct challenge *out, const char *text, size_t length, struct error *error)
{
    if (length == 0)
        return error_set(
            error, EX_DATAERR,
            "the key authorization is empty: it is a token, a dot and the account key's "
            "thumbprint");
    const char *dot = memchr(text, '.', length);
    if (!dot)
        return error_set(
            error, EX_DATAERR,
            "key authorization %s has no dot: it is a token, a dot and the account key's "
            "thumbprint",
            QUOTE(text, length));

    size_t token_length = (size_t)(dot - text);
    if (challenge_check_token(text, token_length, error) != 0 ||
        challenge_check_thumbprint(dot + 1, length - token_length - 1, error) != 0)
        return error_prefix(error, "key authorization");

    struct challenge challenge = {0};
    memcpy(challenge.token, text, token_length);
    memcpy(challenge.key_authorization, text, length);
    *out = challenge;
    return 0;
}

const char *challenge_thumbprint(const struct challenge *challenge)
{
    return challenge->key_authorization + strlen(challenge->token) + 1;
}

char *challenge_join(char out[CHALLENGE_KEY_AUTHORIZATION_MAX + 1], const char *token,
                     size_t length, const char *thumbprint)
{
    memcpy(out, token, length);
    out[length] = '.';
    memcpy(out + length + 1, thumbprint, CHALLENGE_THUMBPRINT_LENGTH + 1);
    return out;
}

bool challenge_is_long(const struct challenge *challenge)
{
    return strlen(challenge->key_authorization) >= CHALLENGE_VALIDATOR_READS;
}

bool challenge_is_token(const char *text, size_t length)
{
    return length >= 1 && length <= CHALLENGE_TOKEN_MAX && find_bad(text, length) == length;
}
