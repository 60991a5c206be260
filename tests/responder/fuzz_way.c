// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Answered is a request whose target is, byte for byte, that of a token that is answered here; and
 * nothing is said of a beginning that the whole could contradict.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/require.h"
#include "responder/way.h"
#include "wicket/challenge.h"
#include "wicket/link.h"

#define THUMBPRINT "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Exactly as long as it says, so that the sanitizer sees a read behind its end. */
static enum way find_copy(const struct tokens *tokens, const char *bytes, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);
    struct head head;

    require(copy != NULL);
    memcpy(copy, bytes, length);
    enum way way = way_find(tokens, copy, length, &head);
    free(copy);
    return way;
}

static bool is_answered_token(const struct tokens *tokens, const char *token, size_t length)
{
    if (length == 1 && token[0] == 't')
        return true;
    if (!tokens->stateless[0] || length < LINK_STATELESS_TOKEN_MIN || length > CHALLENGE_TOKEN_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", token[i]) ||
            token[i] == '\0')
            return false;
    }
    return true;
}

/* By other means than way_find uses. */
static void check_answered(const struct tokens *tokens, const char *bytes, size_t size)
{
    static const char prefix[] = CHALLENGE_PATH_PREFIX;
    const char *end = bytes + size;
    const char *at = memchr(bytes, ' ', size);

    require(at != NULL);
    const char *target = ++at;
    const char *stop = memchr(target, ' ', (size_t)(end - target));
    require(stop && stop - target > 8);
    if (target[0] != '/') {
        target += strncasecmp(target, "http://", 7) == 0 ? 7 : 8;
        require(strncasecmp(target - 3, "://", 3) == 0);
        target = memchr(target, '/', (size_t)(stop - target));
        require(target != NULL);
    }
    size_t length = (size_t)(stop - target);
    require(length > strlen(prefix) && memcmp(target, prefix, strlen(prefix)) == 0);
    require(is_answered_token(tokens, target + strlen(prefix), length - strlen(prefix)));
    require(memmem(stop, (size_t)(end - stop), "\r\n\r\n", 4) != NULL);
}

static void check(const struct tokens *tokens, const char *bytes, size_t size)
{
    struct head head;
    enum way whole = find_copy(tokens, bytes, size);

    if (whole == WAY_ANSWER) {
        check_answered(tokens, bytes, size);
        require(way_find(tokens, bytes, size, &head) == WAY_ANSWER);
        require(head.skip + head.length <= size && head.target_length > 0);
        /* Not before its last byte. */
        require(find_copy(tokens, bytes, head.skip + head.length) == WAY_ANSWER);
        require(find_copy(tokens, bytes, head.skip + head.length - 1) == WAY_WAIT);
    }
    require(whole != WAY_WAIT || size < HEAD_LOOK);
    for (size_t cut = size > 512 ? size - 512 : 0; cut < size; cut++) {
        enum way beginning = find_copy(tokens, bytes, cut);
        /* What turns out to be malformed behind an unknown token is for production all the same. */
        require(beginning == WAY_WAIT || beginning == whole ||
                (beginning == WAY_UNKNOWN && whole == WAY_PASS));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tokens tokens;

    tokens_init(&tokens);
    require(tokens_put(&tokens, "t." THUMBPRINT));
    check(&tokens, (const char *)data, size);
    tokens_set_stateless(&tokens, THUMBPRINT);
    check(&tokens, (const char *)data, size);
    tokens_deinit(&tokens);
    return 0;
}
