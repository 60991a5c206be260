// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/hooks/uacme.h"

#include <string.h>
#include <sysexits.h>

#include "cli/arguments.h"
#include "cli/hooks/call.h"
#include "cli/hooks/hooks.h"
#include "cli/settings.h"
#include "wicket/quote.h"

/*
 * uacme offers every challenge of an authorization in turn, until its hook accepts one with 0; any
 * other status declines, and then there is no call to end it. A decline is no mistake, so that
 * nothing is said about it.
 */
enum { METHOD, TYPE, IDENT, TOKEN, AUTH, WORDS };

#define DECLINED 1

static int find_words(const char *out[WORDS], char *const *words, size_t count,
                      char *const *environment, struct error *error)
{
    static const char *const names[WORDS] = {"UACME_METHOD", "UACME_TYPE", "UACME_IDENT",
                                             "UACME_TOKEN", "UACME_AUTH"};
    if (count != 0 && count != WORDS) {
        error_set(error, EX_USAGE,
                  "hook uacme: %zu arguments and not METHOD TYPE IDENT TOKEN AUTH: to be called by "
                  "uacme; see wicket hook --help",
                  count);
        return -1;
    }
    for (size_t i = 0; i < WORDS; i++) {
        out[i] = count != 0 ? words[i] : environment_get(environment, names[i]);
        if (out[i] == NULL) {
            error_set(error, EX_USAGE,
                      "hook uacme: no arguments, and %s is not set: to be called by uacme; see "
                      "wicket hook --help",
                      names[i]);
            return -1;
        }
    }
    return 0;
}

int uacme_read(enum uacme_method *method, struct publication *out, char *const *words, size_t count,
               char *const *environment, struct error *error)
{
    const char *text[WORDS] = {NULL};
    if (find_words(text, words, count, environment, error) < 0) {
        return -1;
    }
    if (strcmp(text[METHOD], "begin") == 0) {
        *method = UACME_BEGIN;
    } else if (strcmp(text[METHOD], "done") == 0 || strcmp(text[METHOD], "failed") == 0) {
        *method = UACME_END;
    } else {
        return error_set(error, EX_USAGE,
                         "hook uacme: %s is none of begin, done and failed; see wicket hook --help",
                         QUOTE(text[METHOD], strlen(text[METHOD])));
    }
    if (strcmp(text[TYPE], "http-01") != 0) {
        *method = UACME_DECLINE;
        return 0;
    }
    return call_read(out, "uacme", text[IDENT], text[TOKEN], text[AUTH], strlen(text[AUTH]), error);
}

static int hook(const struct invocation *invocation, struct error *error)
{
    const struct arguments *arguments = invocation->arguments;
    enum uacme_method method;
    struct publication one;
    if (uacme_read(&method, &one, arguments->operands + 1, arguments->operand_count - 1,
                   invocation->environment, error) < 0) {
        return -1;
    }
    switch (method) {
    case UACME_BEGIN:
        return call_publish(invocation, &one, 1, error);
    case UACME_END:
        return call_withdraw(invocation, &one, 1, error);
    case UACME_DECLINE:
        break;
    }
    return DECLINED;
}

const struct hook hook_uacme = {"uacme", hook};
