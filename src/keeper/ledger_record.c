// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/ledger_record.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <jansson.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/tokens.h"

/* json_pack has no unsigned 64 bit number; none of these comes near the top bit. */
static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *text_or_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? json_null() : json_string(text);
}

char *ledger_digest(char out[LEDGER_DIGEST], const void *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx context;

    sha256_init(&context);
    sha256_update(&context, length, bytes);
    sha256_digest(&context, sizeof(digest), digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 0xf];
    }
    out[2 * sizeof(digest)] = '\0';
    return out;
}

static json_t *digest_json(const char *text)
{
    char digest[LEDGER_DIGEST];

    return json_string(ledger_digest(digest, text, strlen(text)));
}

static json_t *address_json(uint16_t family, const uint8_t address[16])
{
    char text[INET6_ADDRSTRLEN];

    return text_or_null(inet_ntop(family, address, text, sizeof(text)));
}

/* What every line begins with, and then the members of `rest`, which is taken over. */
static char *finish(const struct ledger_stamp *stamp, const char *event, json_t *rest)
{
    char time[LEDGER_TIME_TEXT], window[LEDGER_KEEPER_MAX + 24] = "";
    char *line = NULL;

    if (stamp->window > 0)
        snprintf(window, sizeof(window), "%s/%" PRIu64, stamp->keeper, stamp->window);
    json_t *object = json_pack("{s:i, s:s, s:s, s:s, s:o}", "v", LEDGER_VERSION, "time",
                               ledger_time(time, &stamp->time), "event", event, "keeper",
                               stamp->keeper, "window", text_or_null(window));
    if (object != NULL && rest != NULL && json_object_update(object, rest) == 0) {
        line = malloc(LEDGER_LINE_MAX + 1);
        size_t length = line == NULL ? 0
                                     : json_dumpb(object, line, LEDGER_LINE_MAX - 1,
                                                  JSON_COMPACT | JSON_ENSURE_ASCII);
        if (length > 0 && length < LEDGER_LINE_MAX - 1) {
            line[length] = '\n';
            line[length + 1] = '\0';
        } else {
            free(line);
            line = NULL;
        }
    }
    json_decref(object);
    json_decref(rest);
    return line;
}

static const char *kind_text(const struct window_reason *reason)
{
    switch (reason->kind) {
    case WINDOW_TOKEN:
        return reason->is_file ? "file" : "token";
    case WINDOW_HAND:
        return "open";
    case WINDOW_RUN:
        return "run";
    }
    return "open";
}

static json_t *reason_json(const struct window_reason *reason)
{
    json_t *object =
        json_pack("{s:s, s:o, s:o, s:s}", "kind", kind_text(reason), "uid", number(reason->uid),
                  "pid", json_integer(reason->pid), "purpose", reason->purpose);

    if (reason->kind == WINDOW_TOKEN) {
        json_object_set_new(object, "token_sha256", digest_json(reason->token->name));
        json_object_set_new(object, "account_sha256", digest_json(reason->token->thumbprint->text));
    }
    return object;
}

char *ledger_record_opened(const struct ledger_stamp *stamp, const struct ledger_opened *opened)
{
    json_t *object = reason_json(opened->reason);

    json_object_set_new(object, "port", number(opened->port));
    json_object_set_new(object, "ruleset_sha256", text_or_null(opened->ruleset));
    json_object_set_new(object, "network", number(opened->network));
    return finish(stamp, "window-opened", object);
}

char *ledger_record_reason(const struct ledger_stamp *stamp, const struct window_reason *reason)
{
    return finish(stamp, reason->kind == WINDOW_TOKEN ? "token-registered" : "window-asked",
                  reason_json(reason));
}

char *ledger_record_validation(const struct ledger_stamp *stamp,
                               const struct link_validation *validation, uint64_t age_ms)
{
    return finish(stamp, "validation",
                  json_pack("{s:o, s:s, s:o, s:i, s:o, s:o, s:o, s:i, s:o}", "token_sha256",
                            digest_json(validation->token), "family",
                            validation->family == AF_INET ? "IPv4" : "IPv6", "address",
                            address_json(validation->family, validation->address), "port",
                            (int)validation->port, "local",
                            validation->local_known == 0
                                ? json_null()
                                : address_json(validation->family, validation->local),
                            "host", text_or_null(validation->host), "user_agent",
                            text_or_null(validation->user_agent), "status", (int)validation->status,
                            "age_ms", age_ms == UINT64_MAX ? json_null() : number(age_ms)));
}

char *ledger_record_refused(const struct ledger_stamp *stamp, const struct ledger_refused *refused)
{
    return finish(stamp, "refused",
                  json_pack("{s:o, s:o, s:s, s:s}", "uid", number(refused->uid), "pid",
                            json_integer(refused->pid), "purpose", refused->purpose, "why",
                            refused->why));
}

char *ledger_record_shut(const struct ledger_stamp *stamp, const struct ledger_shut *shut)
{
    return finish(stamp, "window-shut",
                  json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                            "open_ms", number(shut->open_ms), "why", shut->why, "trouble",
                            text_or_null(shut->trouble), "tokens", number(shut->tokens),
                            "validations", number(shut->validations), "unlisted",
                            number(shut->unlisted), "addresses", number(shut->addresses), "passed",
                            number(shut->passed), "turned_away", number(shut->turned_away),
                            "unknown_tokens", number(shut->unknown), "unknown_address",
                            text_or_null(shut->unknown_address), "redirected",
                            number(shut->redirected), "arrived", number(shut->arrived)));
}
