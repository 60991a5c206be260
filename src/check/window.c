// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "check/check.h"
#include "cli/publish.h"
#include "cli/selfcheck.h"
#include "cli/start.h"

#define SUBJECT "window"
#define PURPOSE "wicket check"

/* Characters of base64url for 32 bytes, the last of which stands for four bits. */
#define TOKEN_LENGTH 43

static int make_random(char out[TOKEN_LENGTH + 1], struct error *error)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[TOKEN_LENGTH];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return error_set_errno(error, EX_OSERR, "no random bytes");
    for (size_t i = 0; i < TOKEN_LENGTH; i++)
        out[i] = alphabet[i + 1 < TOKEN_LENGTH ? bytes[i] & 63 : bytes[i] & 60];
    out[TOKEN_LENGTH] = '\0';
    return 0;
}

/* A token that nobody knows, of an account that may ask. */
static int make_challenge(struct challenge *out, const struct config *config, struct error *error)
{
    char token[TOKEN_LENGTH + 1], thumbprint[TOKEN_LENGTH + 1], text[2 * TOKEN_LENGTH + 2];

    if (make_random(token, error) < 0 || make_random(thumbprint, error) < 0)
        return -1;
    snprintf(text, sizeof(text), "%s.%s", token,
             config->tokens.account_count > 0 ? config->tokens.accounts[0] : thumbprint);
    return challenge_parse(out, text, strlen(text), error);
}

struct outcome {
    size_t good, bad;
    char addresses[FINDINGS_SCOPE]; /* that were good */
};

static void add_address(struct outcome *outcome, const char *address)
{
    size_t used = strlen(outcome->addresses);

    snprintf(outcome->addresses + used, sizeof(outcome->addresses) - used, "%s%s",
             used > 0 ? ", " : "", address);
    outcome->good++;
}

static int fetch_everywhere(struct check *check, struct connection *connection,
                            const struct challenge *challenge, struct outcome *outcome,
                            struct error *error)
{
    for (size_t i = 0; i < check->network.address_count; i++) {
        const struct network_address *address = &check->network.addresses[i];
        struct selfcheck_result result;

        if (!address->global)
            continue;
        if (selfcheck_at(connection, address->text, challenge, &result, error) < 0)
            return -1;
        if (!result.tried)
            continue;
        if (result.good) {
            add_address(outcome, address->text);
            continue;
        }
        outcome->bad++;
        findings_add(&check->report, LEVEL_FINDING, SUBJECT, NULL,
                     "take the address away, or see to what answers there",
                     "the challenge is not served at %s: %s", address->text, result.reason);
    }
    /* A host that is reached by nobody from outside still has its loopback to try. */
    if (outcome->good + outcome->bad > 0)
        return 0;
    if (selfcheck(connection, challenge, error) < 0)
        return -1;
    add_address(outcome, "the loopback");
    return 0;
}

/* Nothing of it stays, whatever comes. */
static int try_window(struct check *check, struct connection *connection, struct outcome *outcome,
                      struct error *error)
{
    struct publication one = {.purpose = PURPOSE};
    char note[CONTROL_TEXT_MAX];

    if (make_challenge(&one.challenge, &check->settings.config, error) < 0 ||
        publish_add(connection, &one, error) < 0)
        return -1;
    int result = fetch_everywhere(check, connection, &one.challenge, outcome, error);
    if (result == 0)
        result = publish_settle(connection, error);
    struct error ignored;
    if (connection->fd >= 0 && publish_withdraw(connection, one.challenge.token, PURPOSE, false,
                                                note, result == 0 ? error : &ignored) < 0)
        result = -1;
    return result;
}

void check_window(struct check *check)
{
    struct connection connection = CONNECTION_CLOSED;
    struct outcome outcome = {0};
    struct error error = {0};
    sigset_t before;

    if (check->responder_port_taken || check->may_not_ask) {
        findings_add(&check->report, LEVEL_NOTE, SUBJECT, NULL, NULL,
                     "none was opened to try, for the reason above");
        return;
    }
    publish_hold_signals(&before);
    int result = start_connect(&connection, &check->settings, &error);
    if (result == 0)
        result = try_window(check, &connection, &outcome, &error);
    connection_close(&connection);
    if (result < 0)
        findings_add(&check->report, LEVEL_FINDING, SUBJECT, NULL, NULL, "%s", error.text);
    else if (outcome.bad == 0)
        findings_add(&check->report, LEVEL_GOOD, SUBJECT, NULL, NULL,
                     "opened, a challenge fetched at %s, shut", outcome.addresses);
    /* One that waits ends the process here, with nothing left behind. */
    sigprocmask(SIG_SETMASK, &before, NULL);
}
