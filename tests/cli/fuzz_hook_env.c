// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What ACME clients hand to their hooks: the input is an environment, one entry a line, for certbot
 * and uacme; the same lines are the words that uacme and dehydrated call with, and the whole of it
 * what acmetool writes to standard input. What is accepted is a challenge of the rules; what is not
 * is refused in one printable line.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../base/require.h"
#include "cli/hooks/acmetool.h"
#include "cli/hooks/call.h"
#include "cli/hooks/certbot.h"
#include "cli/hooks/uacme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRIES_MAX 16
#define UACME_WORDS 5

static void check_refused(const struct error *error)
{
    require(error->exit_code >= 64 && error->exit_code <= 78 && error->text[0] != '\0');
    for (const char *c = error->text; *c != '\0'; c++) {
        require(*c >= ' ' && *c <= '~');
    }
}

static void check_challenge(const struct challenge *challenge)
{
    struct challenge again;
    require(challenge_parse(&again, challenge->key_authorization,
                            strlen(challenge->key_authorization), NULL) == 0);
    require(strcmp(again.token, challenge->token) == 0);
}

static void try_certbot(char *const *environment)
{
    struct certbot_call call;
    struct error error = {0};
    if (certbot_read_environment(&call, environment, &error) < 0) {
        check_refused(&error);
        return;
    }
    check_challenge(&call.challenge);
    require(call.domain[0] != '\0');
    certbot_guess_phase(&call);
}

static void try_uacme(char *const *words, size_t count, char *const *environment)
{
    struct publication one;
    struct error error = {0};
    enum uacme_method method;
    if (uacme_read(&method, &one, words, count, environment, &error) < 0) {
        check_refused(&error);
    } else if (method != UACME_DECLINE) {
        check_challenge(&one.challenge);
    }
}

static void try_words(const char *identifier, const char *token, const char *key_authorization,
                      size_t length)
{
    struct publication one;
    struct error error = {0};
    if (call_read(&one, "dehydrated", identifier, token, key_authorization, length, &error) < 0) {
        check_refused(&error);
        return;
    }
    check_challenge(&one.challenge);
    require(strcmp(one.challenge.token, token) == 0);
}

/* As much of it as is read: standard input is what it comes through. */
static void try_acmetool(const uint8_t *data, size_t size, const char *token)
{
    static int file = -1;
    char input[ACMETOOL_INPUT_MAX];
    size_t length = 0;
    if (file < 0) {
        file = memfd_create("input", MFD_CLOEXEC);
    }
    require(file >= 0 && ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size &&
            lseek(file, 0, SEEK_SET) == 0);
    require(acmetool_read_input(input, &length, file, 1000, NULL) == 0);
    require(length == (size < sizeof input ? size : sizeof input));
    require(memcmp(input, data, length) == 0);
    try_words("example.org", token, input, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    char *lines[ENTRIES_MAX + 1] = {NULL};
    size_t count = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL && count < ENTRIES_MAX;
         line = strsep(&rest, "\n")) {
        lines[count++] = line;
    }
    try_certbot(lines);
    try_uacme(NULL, 0, lines);
    try_uacme(lines, count, lines);
    if (count >= UACME_WORDS) {
        try_uacme(lines, UACME_WORDS, lines);
    }
    for (size_t i = 0; i + 2 < count; i += 3) {
        try_words(lines[i], lines[i + 1], lines[i + 2], strlen(lines[i + 2]));
    }
    try_acmetool(data, size, "token");
    free(text);
    return 0;
}
