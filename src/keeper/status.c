// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/status.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/escape.h"
#include "keeper/evidence.h"
#include "keeper/keeper.h"

/* json_pack has no unsigned 64 bit number; none of these comes near the top bit. */
static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *text_or_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? json_null() : json_string(text);
}

static const char *state_text(const struct keeper *keeper)
{
    switch (keeper->window.state) {
    case WINDOW_ARMED:
        return "armed";
    case WINDOW_OPEN:
        return "open";
    case WINDOW_DRAINING:
        return "draining";
    }
    return "armed";
}

static const char *responder_text(const struct keeper *keeper)
{
    if (keeper->window.responder_ready)
        return "ready";
    return keeper->child.state == CHILD_STARTING ? "starting" : "down";
}

static const char *kind_text(enum window_kind kind)
{
    switch (kind) {
    case WINDOW_TOKEN:
        return "token";
    case WINDOW_HAND:
        return "open";
    case WINDOW_RUN:
        return "run";
    }
    return "open";
}

/* What has been counted since `before`, if anything was to be counted. */
static json_t *since(bool counts, uint64_t now, uint64_t before)
{
    return number(counts ? keeper_since(now, before) : 0);
}

/* What went through the present window; nothing does before its first lease. */
static json_t *window_counters_json(const struct keeper *keeper,
                                    const struct redirect_counters *table)
{
    const struct keeper_before *before = &keeper->before;
    struct redirect_count sum = redirect_count_sum(table);
    bool leased = keeper->window.was_leased;

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "tokens",
                     since(true, keeper->tokens_total, before->tokens), "validations",
                     since(leased, keeper_validations(keeper), before->validations), "passed",
                     since(leased, keeper_passed(keeper), before->passed), "turned_away",
                     since(leased, keeper_turned_away(keeper), before->turned_away), "redirected",
                     since(leased, sum.redirected, before->redirected), "arrived",
                     since(leased, sum.arrived, before->arrived), "unknown_tokens",
                     since(leased, keeper_unknown(keeper), before->unknown));
}

static json_t *window_json(const struct keeper *keeper, const struct redirect_counters *table,
                           uint64_t now_ms)
{
    const struct window *window = &keeper->window;

    if (window->state != WINDOW_OPEN)
        return json_null();
    uint64_t limit_ms = window->limit_at_ms;
    uint64_t lease_ms = keeper->config->window.lease_ms;
    uint64_t lease_end_ms = window->leased ? window->armed_ms + lease_ms : 0;
    return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o}", "open_ms",
                     number(now_ms - window->opened_ms), "limit_in_ms",
                     number(limit_ms > now_ms ? limit_ms - now_ms : 0), "lease_ms",
                     number(lease_ms), "lease_left_ms",
                     number(lease_end_ms > now_ms ? lease_end_ms - now_ms : 0), "redirected",
                     window->leased, "counters", window_counters_json(keeper, table));
}

static json_t *reason_json(const struct window_reason *reason, uint64_t now_ms)
{
    uint64_t at_ms = reason->deadline.at_ms;
    json_t *object = json_pack(
        "{s:s, s:o, s:o, s:s, s:o, s:o}", "kind", kind_text(reason->kind), "uid",
        number(reason->uid), "pid", json_integer(reason->pid), "purpose", reason->purpose, "count",
        number(reason->count), "ends_in_ms",
        at_ms == WINDOW_FOREVER ? json_null() : number(at_ms > now_ms ? at_ms - now_ms : 0));

    if (object != NULL && reason->kind == WINDOW_TOKEN)
        json_object_set_new(object, "token", json_string(reason->token->name));
    return object;
}

#define DUMP (JSON_COMPACT | JSON_ENSURE_ASCII)

/* Each by itself: as one document a hundred thousand of them would take a hundred megabytes. */
static bool write_reasons(FILE *out, const struct keeper *keeper, uint64_t now_ms)
{
    bool good = true;

    for (const struct window_reason *one = keeper->window.reasons; one != NULL && good;
         one = one->next) {
        json_t *object = reason_json(one, now_ms);
        if (one != keeper->window.reasons)
            fputc(',', out);
        good = object != NULL && json_dumpf(object, out, DUMP) == 0;
        json_decref(object);
    }
    return good;
}

/* Takes the document over, which has members already. NULL: no memory. */
static char *write_document(json_t *document, const struct keeper *keeper, uint64_t now_ms)
{
    char *rest = document == NULL ? NULL : json_dumps(document, DUMP);
    char *text = NULL;
    size_t length;
    FILE *out = rest == NULL ? NULL : open_memstream(&text, &length);
    bool good = false;

    json_decref(document);
    if (out != NULL) {
        fputs("{\"reasons\":[", out);
        good = write_reasons(out, keeper, now_ms);
        fprintf(out, "],%s", rest + 1);
        good = !ferror(out) && good;
        good = fclose(out) == 0 && good;
    }
    free(rest);
    if (good)
        return text;
    free(text);
    return NULL;
}

static json_t *validators_json(const struct keeper *keeper)
{
    json_t *array = json_array();
    char text[INET6_ADDRSTRLEN];

    for (const struct validator *one = keeper->validators.list; one != NULL; one = one->hh.next)
        json_array_append_new(array, json_pack("{s:s, s:o}", "address",
                                               validator_text(one, text, sizeof(text)),
                                               "validations", number(one->validations)));
    return array;
}

static json_t *counters_json(const struct keeper *keeper, const struct redirect_counters *table)
{
    struct redirect_count sum = redirect_count_sum(table);

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "windows",
                     number(keeper->window.windows), "tokens", number(keeper->tokens_total),
                     "validations", number(keeper_validations(keeper)), "addresses",
                     number(validators_since(&keeper->validators, 0)), "passed",
                     number(keeper_passed(keeper)), "passing", number(keeper->pong.passing),
                     "turned_away", number(keeper_turned_away(keeper)), "redirected",
                     number(sum.redirected), "arrived", number(sum.arrived), "missing",
                     number(sum.missing), "guarded", number(table->guarded), "unknown_tokens",
                     number(keeper_unknown(keeper)));
}

/* What has come for the tokens of the present window, or of the last one. */
static json_t *evidence_json(struct keeper *keeper)
{
    char text[EVIDENCE_TEXT];
    struct evidence seen;

    if (keeper->window.windows == 0 || !keeper->window.was_leased || keeper->evidence_tokens == 0)
        return json_null();
    keeper_evidence(keeper, true, NULL, &seen);
    evidence_describe(text, &seen, keeper->config->responder.port);
    return json_pack("{s:s, s:o}", "verdict", evidence_name(evidence_judge(&seen)), "text",
                     text_or_null(seen.validations > 0 ? "" : text));
}

static json_t *ledger_json(const struct keeper *keeper)
{
    const struct ledger *ledger = &keeper->ledger;
    char path[sizeof(keeper->config->ledger.file)];

    if (!ledger->wanted)
        return json_null();
    escape_copy(path, sizeof(path), keeper->config->ledger.file,
                strlen(keeper->config->ledger.file));
    return json_pack("{s:s, s:o, s:o}", "file", path, "trouble", text_or_null(ledger->trouble),
                     "lost", number(ledger_lost(ledger)));
}

/* The chains in which an admission stands. */
static json_t *admitted_json(const struct keeper *keeper)
{
    const struct config *config = keeper->config;
    json_t *array = json_array();

    for (size_t i = 0; keeper->in_force && i < config->redirect.admit_count; i++) {
        const struct config_chain *chain = &config->redirect.admit[i];

        json_array_append_new(array,
                              json_sprintf("%s %s %s", chain->family, chain->table, chain->chain));
    }
    return array;
}

/* Who is redirected, where not everyone is. */
static json_t *sources_json(const struct keeper *keeper)
{
    const struct config *config = keeper->config;
    const char *file = config->redirect.sources_file;
    char path[sizeof(config->redirect.sources_file) * 4];

    if (file[0] == '\0' && config->redirect.source_count == 0)
        return json_null();
    escape_copy(path, sizeof(path), file, strlen(file));
    return json_pack("{s:o, s:o, s:o}", "count", number(config->redirect.source_count), "file",
                     text_or_null(path), "refused", text_or_null(keeper->sources.refused));
}

static json_t *shut_json(const struct keeper *keeper, uint64_t now_ms)
{
    if (keeper->shut_ms == 0)
        return json_null();
    return json_pack("{s:s, s:o}", "reason", keeper->shut_reason, "ago_ms",
                     number(now_ms - keeper->shut_ms));
}

static size_t runs(const struct keeper *keeper)
{
    size_t count = 0;

    for (const struct peer *peer = keeper->peers.list; peer != NULL; peer = peer->next)
        count += peer->is_armed;
    return count;
}

static char *render(struct keeper *keeper, uint64_t now_ms)
{
    struct redirect_counters table = {0};
    char path[sizeof(keeper->config->path)];

    /* A path is bytes, JSON is UTF-8. */
    escape_copy(path, sizeof(path), keeper->config->path, strlen(keeper->config->path));
    redirect_read_counters(keeper->redirect, &table, NULL);
    json_t *document = json_pack(
        "{s:i, s:b, s:i, s:s, s:s, s:s, s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, "
        "s:o, s:o, s:o, s:o}",
        "version", 1, "running", 1, "pid", (int)getpid(), "mode",
        keeper->mode == PRIVILEGES_FULL ? "full" : "sidecar", "method",
        keeper->config->redirect.method == CONFIG_METHOD_TPROXY ? "tproxy" : "redirect", "config",
        path, "state", state_text(keeper), "owned_table", redirect_is_owned(keeper->redirect),
        "responder", responder_text(keeper), "trouble", text_or_null(keeper->trouble), "window",
        window_json(keeper, &table, now_ms), "runs", number(runs(keeper)), "counters",
        counters_json(keeper, &table), "validators", validators_json(keeper), "last_shut",
        shut_json(keeper, now_ms), "stateless", keeper->stateless.told[0] != '\0', "admitted",
        admitted_json(keeper), "overruled",
        text_or_null(keeper->in_force ? redirect_overruled(keeper->redirect) : ""), "sources",
        sources_json(keeper), "evidence", evidence_json(keeper), "ledger", ledger_json(keeper));
    return write_document(document, keeper, now_ms);
}

void status_send(struct peer *peer, uint64_t now_ms)
{
    char *text = render(peer->keeper, now_ms);
    if (text == NULL) {
        peer_result(peer, EX_TEMPFAIL, "the keeper cannot describe itself: out of memory?");
        return;
    }

    size_t total = strlen(text);
    for (size_t sent = 0; sent < total;) {
        union control_message message;
        size_t length = total - sent < CONTROL_CHUNK_MAX ? total - sent : CONTROL_CHUNK_MAX;

        control_message_init(&message, CONTROL_DOCUMENT);
        message.document.total = (uint32_t)total;
        message.document.length = (uint32_t)length;
        memcpy(message.document.bytes, text + sent, length);
        peer_send(peer, &message, -1);
        sent += length;
    }
    free(text);
    peer_result(peer, 0, "%s", "");
}
