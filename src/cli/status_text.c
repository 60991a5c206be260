// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/status_text.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <sysexits.h>

#include "base/escape.h"
#include "wicket/duration.h"
#include "wicket/quote.h"

#define LINE_MAX_BYTES 800
#define NOTHING_RUNS   "SHUT: no keeper runs; port 80 is with production"
#define NOTHING_SEEN   "no keeper answers; whether one runs elsewhere is for root to see"

/* Every byte that is not printable ASCII escaped. */
#define PLAIN(json, key) plain((char[LINE_MAX_BYTES]){0}, LINE_MAX_BYTES, (json), (key))
#define TIME(ms)         duration_describe((char[DURATION_TEXT]){0}, DURATION_TEXT, (ms))

static const char *plain(char *out, size_t capacity, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) {
        return "?";
    }
    escape_copy(out, capacity, json_string_value(value), json_string_length(value));
    return out;
}

static uint64_t number(const json_t *object, const char *key)
{
    const json_int_t value = json_integer_value(json_object_get(object, key));
    return value < 0 ? 0 : (uint64_t)value;
}

static bool is(const json_t *object, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL && strcmp(value, text) == 0;
}

static void write_state(FILE *out, const json_t *root)
{
    const json_t *window = json_object_get(root, "window");
    if (is(root, "state", "armed")) {
        fprintf(out, "SHUT: port 80 is with production\n");
    } else if (is(root, "state", "draining")) {
        fprintf(out, "SHUT: port 80 is with production; the last connections of a window finish\n");
    } else if (is(root, "state", "open") && json_is_object(window)) {
        fprintf(out, "OPEN for %s; shuts in %s at the latest\n", TIME(number(window, "open_ms")),
                TIME(number(window, "limit_in_ms")));
        if (json_is_false(json_object_get(window, "redirected"))) {
            fprintf(out, "HELD: port 80 is with production all the same\n");
        } else {
            fprintf(out, "lease: the kernel gives port 80 back in %s unless the keeper renews it\n",
                    TIME(number(window, "lease_left_ms")));
        }
    } else {
        fprintf(out, "%s\n", PLAIN(root, "state"));
    }
    if (json_is_true(json_object_get(root, "stateless"))) {
        fprintf(out, "stateless: tokens that nobody registered are answered for one account\n");
    }
    if (json_is_string(json_object_get(root, "trouble"))) {
        fprintf(out, "TROUBLE: %s\n", PLAIN(root, "trouble"));
    }
}

static void write_scope(FILE *out, const json_t *root)
{
    const json_t *admitted = json_object_get(root, "admitted");
    const json_t *sources = json_object_get(root, "sources");
    for (size_t i = 0; i < json_array_size(admitted); i++) {
        const json_t *chain = json_array_get(admitted, i);
        char text[LINE_MAX_BYTES];
        if (!json_is_string(chain)) {
            continue;
        }
        escape_copy(text, sizeof text, json_string_value(chain), json_string_length(chain));
        fprintf(out, "admitted: this host's chain %s lets in what is redirected\n", text);
    }
    if (json_is_string(json_object_get(root, "overruled"))) {
        fprintf(out, "TROUBLE: that overrules %s: whoever it bans reaches the responder\n",
                PLAIN(root, "overruled"));
    }
    if (!json_is_object(sources)) {
        return;
    }
    const uint64_t count = number(sources, "count");
    if (count == 0) {
        fprintf(out, "sources: none: nobody is redirected");
    } else {
        fprintf(out, "sources: only connections from %" PRIu64 " network%s are redirected", count,
                count == 1 ? "" : "s");
    }
    if (json_is_string(json_object_get(sources, "file"))) {
        fprintf(out, "; file %s", PLAIN(sources, "file"));
    }
    fprintf(out, "\n");
    if (json_is_string(json_object_get(sources, "refused"))) {
        fprintf(out, "TROUBLE: the sources before stay in force: %s\n", PLAIN(sources, "refused"));
    }
}

/* Of a window with tokens that nobody has validated. */
static void write_evidence(FILE *out, const json_t *root)
{
    const json_t *evidence = json_object_get(root, "evidence");
    if (json_is_string(json_object_get(evidence, "text"))) {
        fprintf(out, "%s: %s\n",
                is(root, "state", "open") ? "no validation so far"
                                          : "no validation in the last window",
                PLAIN(evidence, "text"));
    }
}

static void write_ledger(FILE *out, const json_t *root)
{
    const json_t *ledger = json_object_get(root, "ledger");
    if (!json_is_object(ledger)) {
        return;
    }
    if (json_is_string(json_object_get(ledger, "trouble"))) {
        fprintf(out, "TROUBLE: the ledger is not written: %s\n", PLAIN(ledger, "trouble"));
    }
    fprintf(out, "ledger: %s", PLAIN(ledger, "file"));
    const uint64_t lost = number(ledger, "lost");
    if (lost > 0) {
        fprintf(out, ", %" PRIu64 " %s lost", lost, lost == 1 ? "line" : "lines");
    }
    fputc('\n', out);
}

static void write_reason(FILE *out, const json_t *reason)
{
    fprintf(out, "  %s", PLAIN(reason, "kind"));
    if (json_is_string(json_object_get(reason, "token"))) {
        fprintf(out, " %s", PLAIN(reason, "token"));
    }
    fprintf(out, ": %s (uid %" PRIu64 ", pid %" PRIu64, PLAIN(reason, "purpose"),
            number(reason, "uid"), number(reason, "pid"));
    if (number(reason, "count") > 1) {
        fprintf(out, ", asked for %" PRIu64 " times", number(reason, "count"));
    }
    fprintf(out, ")");
    if (json_is_integer(json_object_get(reason, "ends_in_ms"))) {
        fprintf(out, ", ends in %s", TIME(number(reason, "ends_in_ms")));
    }
    fprintf(out, "\n");
}

static void write_reasons(FILE *out, const json_t *root)
{
    const json_t *reasons = json_object_get(root, "reasons");
    const size_t count = json_array_size(reasons);
    if (count > 0) {
        fprintf(out, "because of\n");
    }
    for (size_t i = 0; i < count; i++) {
        write_reason(out, json_array_get(reasons, i));
    }
    const uint64_t runs = number(root, "runs");
    if (runs > 0) {
        fprintf(out, "%" PRIu64 " wicket run %s\n", runs, runs == 1 ? "is alive" : "are alive");
    }
}

static void write_keeper(FILE *out, const json_t *root)
{
    fprintf(out, "keeper pid %" PRIu64 ", %s mode%s, configuration %s; responder %s\n",
            number(root, "pid"), PLAIN(root, "mode"),
            is(root, "method", "tproxy") ? ", tproxy" : "", PLAIN(root, "config"),
            PLAIN(root, "responder"));
    if (json_is_false(json_object_get(root, "owned_table"))) {
        fprintf(out, "this kernel has no owned tables: should the keeper be killed, the lease "
                     "alone ends a window\n");
    }
}

static void write_window_counters(FILE *out, const json_t *root)
{
    const json_t *counters = json_object_get(json_object_get(root, "window"), "counters");
    if (json_is_object(counters)) {
        fprintf(out,
                "this window: tokens %" PRIu64 ", validations %" PRIu64
                ", visitors passed to production %" PRIu64 ", other requests turned away %" PRIu64
                ", connections redirected %" PRIu64 ", let through by this host's filter %" PRIu64
                "\n",
                number(counters, "tokens"), number(counters, "validations"),
                number(counters, "passed"), number(counters, "turned_away"),
                number(counters, "redirected"), number(counters, "arrived"));
    }
}

/* While there are any, the keeper stays, window or not. */
static void write_passing(FILE *out, const json_t *root)
{
    const uint64_t passing = number(json_object_get(root, "counters"), "passing");
    if (passing > 0) {
        fprintf(out, "passing: %" PRIu64 " %s production through the responder\n", passing,
                passing == 1 ? "visitor is connected to" : "visitors are connected to");
    }
}

static void write_counters(FILE *out, const json_t *root)
{
    const json_t *counters = json_object_get(root, "counters");
    fprintf(out,
            "so far: windows %" PRIu64 ", tokens %" PRIu64 ", validations %" PRIu64
            " from addresses %" PRIu64 ", visitors passed to production %" PRIu64
            ", other requests turned away %" PRIu64 "\n",
            number(counters, "windows"), number(counters, "tokens"),
            number(counters, "validations"), number(counters, "addresses"),
            number(counters, "passed"), number(counters, "turned_away"));
    fprintf(out,
            "kernel: connections redirected %" PRIu64 ", let through by this host's filter %" PRIu64
            ", sent directly to the responder and dropped %" PRIu64 "\n",
            number(counters, "redirected"), number(counters, "arrived"),
            number(counters, "guarded"));
}

static void write_validators(FILE *out, const json_t *root)
{
    const json_t *validators = json_object_get(root, "validators");
    const size_t count = json_array_size(validators);
    if (count > 0) {
        fprintf(out, "validators\n");
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *validator = json_array_get(validators, i);
        fprintf(out, "  %s: %" PRIu64 "\n", PLAIN(validator, "address"),
                number(validator, "validations"));
    }
    const json_t *last = json_object_get(root, "last_shut");
    if (json_is_object(last)) {
        fprintf(out, "last shut %s ago: %s\n", TIME(number(last, "ago_ms")), PLAIN(last, "reason"));
    }
}

/* NULL when it is no document of ours. */
static json_t *parse(const char *json, size_t length, struct error *error)
{
    json_error_t reason;
    json_t *root = json_loadb(json, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &reason);
    if (root == NULL) {
        error_set(error, EX_SOFTWARE, "the keeper's status is no JSON: %s",
                  QUOTE(reason.text, strlen(reason.text)));
    } else if (number(root, "version") != 1) {
        error_set(error, EX_SOFTWARE,
                  "the keeper's status has a version this wicket does not know; try wicket status "
                  "--json, and restart the keeper");
        json_decref(root);
        root = NULL;
    }
    return root;
}

static const char *nothing_text(const json_t *root)
{
    return json_is_null(json_object_get(root, "running")) ? NOTHING_SEEN : NOTHING_RUNS;
}

int status_text_write(FILE *out, const char *json, size_t length, struct error *error)
{
    json_t *root = parse(json, length, error);
    if (root == NULL) {
        return -1;
    }
    if (!json_is_true(json_object_get(root, "running"))) {
        fprintf(out, "%s\n", nothing_text(root));
    } else {
        write_state(out, root);
        write_scope(out, root);
        write_reasons(out, root);
        write_window_counters(out, root);
        write_evidence(out, root);
        write_passing(out, root);
        write_keeper(out, root);
        write_ledger(out, root);
        write_counters(out, root);
        write_validators(out, root);
    }
    json_decref(root);
    return 0;
}

/* What changes by itself, such as what is left of a lease, has no place in it. */
static void summarise(FILE *out, const json_t *root)
{
    const json_t *reasons = json_object_get(root, "reasons");
    if (!json_is_true(json_object_get(root, "running"))) {
        fprintf(out, "%s", nothing_text(root));
    } else if (is(root, "state", "open")) {
        const json_t *window = json_object_get(root, "window");
        fprintf(out, json_is_false(json_object_get(window, "redirected")) ? "HELD" : "OPEN");
    } else {
        fprintf(out, "SHUT: %s", PLAIN(root, "state"));
    }
    for (size_t i = 0; i < json_array_size(reasons); i++) {
        const json_t *reason = json_array_get(reasons, i);
        fprintf(out, "%s %s", i == 0 ? ":" : ",", PLAIN(reason, "kind"));
        if (json_is_string(json_object_get(reason, "token"))) {
            fprintf(out, " %s", PLAIN(reason, "token"));
        }
        fprintf(out, " (%s, uid %" PRIu64 ", pid %" PRIu64 ")", PLAIN(reason, "purpose"),
                number(reason, "uid"), number(reason, "pid"));
    }
    if (json_is_string(json_object_get(root, "trouble"))) {
        fprintf(out, "; TROUBLE: %s", PLAIN(root, "trouble"));
    }
    fputc('\n', out);
}

int status_text_summary(FILE *out, const char *json, size_t length, struct error *error)
{
    json_t *root = parse(json, length, error);
    if (root == NULL) {
        return -1;
    }
    summarise(out, root);
    json_decref(root);
    return 0;
}

bool status_text_has_token(const char *json, size_t length, const char *token)
{
    json_t *root = json_loadb(json, length, JSON_ALLOW_NUL, NULL);
    const json_t *reasons = json_object_get(root, "reasons");
    bool found = false;
    for (size_t i = 0; i < json_array_size(reasons) && !found; i++) {
        found = is(json_array_get(reasons, i), "token", token);
    }
    json_decref(root);
    return found;
}
