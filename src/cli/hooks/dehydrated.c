// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/arguments.h"
#include "cli/hooks/call.h"
#include "cli/hooks/hooks.h"

/*
 * dehydrated calls its hook for many events, each a word and its arguments, and makes up a word to
 * see that the hook leaves alone what it does not know. The two events of a challenge come with a
 * triple DOMAIN TOKEN KEY_AUTHORIZATION for each challenge: one triple, or with HOOK_CHAIN=yes all
 * of them in one call. It believes the exit status.
 */
enum { TRIPLE = 3 };

static int count_challenges(size_t *out, const struct arguments *arguments, struct error *error)
{
    const size_t words = arguments->operand_count - 2;
    if (words == 0 || words % TRIPLE != 0) {
        error_set(error, EX_USAGE,
                  "hook dehydrated: %s takes DOMAIN TOKEN KEY_AUTHORIZATION, once or more; see "
                  "wicket hook --help",
                  arguments->operands[1]);
        return -1;
    }
    *out = words / TRIPLE;
    return 0;
}

static int read_challenges(struct publication *list, size_t count, char *const *words,
                           struct error *error)
{
    for (size_t i = 0; i < count; i++, words += TRIPLE) {
        if (call_read(&list[i], "dehydrated", words[0], words[1], words[2], strlen(words[2]),
                      error) < 0) {
            return -1;
        }
    }
    return 0;
}

static int handle_challenges(const struct invocation *invocation, bool deploy, struct error *error)
{
    const struct arguments *arguments = invocation->arguments;
    size_t count = 0;
    if (count_challenges(&count, arguments, error) < 0) {
        return -1;
    }
    struct publication *list = calloc(count, sizeof *list);
    if (list == NULL) {
        return error_set_errno(error, EX_OSERR, "hook dehydrated");
    }
    int result = read_challenges(list, count, arguments->operands + 2, error);
    if (result == 0) {
        result = deploy ? call_publish(invocation, list, count, error)
                        : call_withdraw(invocation, list, count, error);
    }
    free(list);
    return result;
}

static int hook(const struct invocation *invocation, struct error *error)
{
    const char *handler = invocation->arguments->operands[1];
    if (handler == NULL) {
        return error_set(error, EX_USAGE,
                         "hook dehydrated: no event named: to be called by dehydrated; see wicket "
                         "hook --help");
    }
    if (strcmp(handler, "deploy_challenge") == 0) {
        return handle_challenges(invocation, true, error);
    }
    if (strcmp(handler, "clean_challenge") == 0) {
        return handle_challenges(invocation, false, error);
    }
    return 0;
}

const struct hook hook_dehydrated = {"dehydrated", hook};
