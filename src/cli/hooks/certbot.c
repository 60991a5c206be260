// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/hooks/certbot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "build.h"
#include "cli/arguments.h"
#include "cli/document.h"
#include "cli/hooks/hooks.h"
#include "cli/publish.h"
#include "cli/reach.h"
#include "cli/settings.h"
#include "cli/start.h"
#include "cli/status_text.h"
#include "wicket/log.h"
#include "wicket/quote.h"

/*
 * certbot ignores the exit status of its hooks and goes on whatever they say: it shows standard
 * error, and hands standard output of auth to cleanup as CERTBOT_AUTH_OUTPUT. It sets its
 * variables in its own environment and never removes that one, so that from the second
 * certificate of one `certbot renew` on, auth finds the output of an earlier challenge there. A
 * call without a word is therefore told apart by what the variable holds, not by its presence:
 * auth prints the token, and only this challenge's cleanup finds the same token again.
 */

static int need(const char **out, char *const *environment, const char *name, struct error *error)
{
    *out = environment_get(environment, name);
    if (*out == NULL || (*out)[0] == '\0') {
        return error_set(error, EX_USAGE,
                         "hook certbot: %s is not set: to be called by certbot --manual "
                         "--preferred-challenges http; see wicket hook --help",
                         name);
    }
    return 0;
}

/* What the certificate is for: a domain, or since certbot 5 an address, under either name. */
static int need_name(const char **out, char *const *environment, struct error *error)
{
    *out = environment_get(environment, "CERTBOT_IDENTIFIER");
    if (*out != NULL && (*out)[0] != '\0') {
        return 0;
    }
    return need(out, environment, "CERTBOT_DOMAIN", error);
}

int certbot_read_environment(struct certbot_call *out, char *const *environment,
                             struct error *error)
{
    const char *token;
    const char *validation;
    if (need_name(&out->domain, environment, error) < 0 ||
        need(&token, environment, "CERTBOT_TOKEN", error) < 0 ||
        need(&validation, environment, "CERTBOT_VALIDATION", error) < 0) {
        return -1;
    }
    if (challenge_parse(&out->challenge, validation, strlen(validation), error) < 0) {
        error_prefix(error, "CERTBOT_VALIDATION");
        return -1;
    }
    if (strcmp(out->challenge.token, token) != 0) {
        return error_set(error, EX_DATAERR,
                         "CERTBOT_TOKEN %s is not the token of CERTBOT_VALIDATION",
                         QUOTE(token, strlen(token)));
    }
    out->auth_output = environment_get(environment, "CERTBOT_AUTH_OUTPUT");
    return 0;
}

enum certbot_phase certbot_guess_phase(const struct certbot_call *call)
{
    if (call->auth_output == NULL) {
        return CERTBOT_AUTH;
    }
    return strcmp(call->auth_output, call->challenge.token) == 0 ? CERTBOT_CLEANUP : CERTBOT_EITHER;
}

/* A wrapper may have swallowed what auth printed: a token that is registered had its auth. */
static int find_registered(struct connection *connection, const char *token, bool *registered,
                           struct error *error)
{
    char *bytes;
    size_t length;
    if (document_fetch(connection, &bytes, &length, error) < 0) {
        return -1;
    }
    *registered = status_text_has_token(bytes, length, token);
    free(bytes);
    return 0;
}

/* Withdraws the token, or finds out that it is not cleanup that was called for: *phase, which may
 * be CERTBOT_EITHER before, is one of the two others when 0 is returned. */
static int clean_up(const struct certbot_call *call, struct settings *settings, const char *purpose,
                    enum certbot_phase *phase, struct error *error)
{
    struct connection connection = CONNECTION_CLOSED;
    bool registered = false;
    enum reach reached;
    /* What may be auth waits for a leaving keeper as long as auth does. */
    const uint64_t patience_ms =
        *phase == CERTBOT_EITHER ? CONNECTION_ESTABLISH_MS : REACH_PATIENCE_MS;
    if (reach_keeper(&connection, settings, WICKET_RUNTIME_DIR, patience_ms, &reached, error) < 0) {
        return -1;
    }
    const bool running = reached == REACH_READY;
    int result = 0;
    if (*phase == CERTBOT_EITHER) {
        if (running) {
            result = find_registered(&connection, call->challenge.token, &registered, error);
        }
        *phase = registered ? CERTBOT_CLEANUP : CERTBOT_AUTH;
    }
    char note[CONTROL_TEXT_MAX] = "";
    if (result == 0 && running && *phase == CERTBOT_CLEANUP) {
        result = publish_withdraw(&connection, call->challenge.token, purpose, true, note, error);
    }
    if (reached == REACH_UNKNOWN && *phase == CERTBOT_CLEANUP) {
        snprintf(note, sizeof note, "no keeper answers, so nothing is withdrawn");
    }
    connection_close(&connection);
    if (result == 0 && note[0] != '\0') { /* what went wrong with the window, if anything did */
        log_warnx("certbot hook for %s: %s", QUOTE(call->domain, strlen(call->domain)), note);
    }
    return result;
}

static int authenticate(const struct certbot_call *call, const struct invocation *invocation,
                        const char *purpose, struct error *error)
{
    struct settings settings;
    if (settings_load(&settings, invocation, error) < 0) {
        return -1;
    }
    struct publication one = {.challenge = call->challenge};
    connection_set_purpose(&one.purpose, purpose);
    struct connection connection = CONNECTION_CLOSED;
    int result = start_connect(&connection, &settings, error);
    if (result == 0) {
        result = publish(&connection, &settings, &one, 1, NULL, error);
    }
    connection_close(&connection);
    settings_deinit(&settings);
    return result;
}

static int run_phase(enum certbot_phase phase, bool guessed, const struct certbot_call *call,
                     const struct invocation *invocation, struct error *error)
{
    char purpose[CONTROL_PURPOSE_MAX];
    snprintf(purpose, sizeof purpose, "certbot hook for %s", call->domain);
    int result = 0;
    if (phase != CERTBOT_AUTH) {
        struct settings settings;
        if (settings_load_for_socket(&settings, invocation, error) < 0) {
            return -1;
        }
        result = clean_up(call, &settings, purpose, &phase, error);
        settings_deinit(&settings);
    }
    if (result == 0 && phase == CERTBOT_AUTH) {
        if (guessed) {
            printf("%s\n", call->challenge.token); /* also when it fails: cleanup comes anyway */
        }
        result = authenticate(call, invocation, purpose, error);
    }
    return result;
}

static int parse_phase(const struct arguments *arguments, enum certbot_phase *out, bool *guess,
                       struct error *error)
{
    const char *word = arguments->operands[1];
    *guess = word == NULL;
    if (word != NULL && strcmp(word, "auth") == 0) {
        *out = CERTBOT_AUTH;
    } else if (word != NULL && strcmp(word, "cleanup") == 0) {
        *out = CERTBOT_CLEANUP;
    } else if (word != NULL) {
        return error_set(error, EX_USAGE,
                         "hook certbot: %s is neither auth nor cleanup; see wicket hook --help",
                         QUOTE(word, strlen(word)));
    }
    if (arguments->operand_count > 2) {
        const char *extra = arguments->operands[2];
        return error_set(error, EX_USAGE,
                         "hook certbot: %s is one argument too many; see wicket hook --help",
                         QUOTE(extra, strlen(extra)));
    }
    return 0;
}

static int hook(const struct invocation *invocation, struct error *error)
{
    enum certbot_phase phase = CERTBOT_AUTH;
    bool guess;
    struct certbot_call call;
    if (parse_phase(invocation->arguments, &phase, &guess, error) < 0 ||
        certbot_read_environment(&call, invocation->environment, error) < 0) {
        return -1;
    }
    if (guess) {
        phase = certbot_guess_phase(&call);
    }
    const int result = run_phase(phase, guess, &call, invocation, error);
    if (result < 0 && error->text[0] != '\0') {
        error_prefix(error, "certbot hook for %s", QUOTE(call.domain, strlen(call.domain)));
    }
    return result;
}

const struct hook hook_certbot = {"certbot", hook};
