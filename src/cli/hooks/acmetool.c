// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/hooks/acmetool.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/deadline.h"
#include "cli/hooks/call.h"
#include "cli/hooks/hooks.h"

/*
 * acmetool calls every hook it has for every event; 42 means "not mine". An http-01 challenge
 * comes as HOST TARGET_FILE TOKEN, with the key authorization, and nothing behind it, on standard
 * input. It logs other failures and goes on, so that the reason has to be seen there.
 */
#define NOT_MINE 42

enum { EVENT = 1, HOST, TARGET_FILE, TOKEN, WORDS };

#define INPUT_MS 10000

int acmetool_read_input(char *out, size_t *length, int fd, int timeout_ms, struct error *error)
{
    const uint64_t deadline_ms = deadline_in((uint64_t)timeout_ms);
    *length = 0;
    while (*length < ACMETOOL_INPUT_MAX) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        const int polled = poll(&poll_fd, 1, deadline_left(deadline_ms));
        if (polled == 0) {
            return error_set(error, EX_TEMPFAIL,
                             "hook acmetool: standard input does not end; the key authorization "
                             "is expected there, and nothing else");
        }
        const ssize_t got = polled < 0 ? -1 : read(fd, out + *length, ACMETOOL_INPUT_MAX - *length);
        if (got < 0 && errno != EINTR && errno != EAGAIN) {
            return error_set_errno(error, EX_IOERR, "hook acmetool: cannot read standard input");
        }
        if (got == 0) {
            return 0;
        }
        *length += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static int hook(const struct invocation *invocation, struct error *error)
{
    const struct arguments *arguments = invocation->arguments;
    char *const *words = arguments->operands;
    if (words[EVENT] == NULL) {
        return error_set(error, EX_USAGE,
                         "hook acmetool: no event named: to be called by acmetool; see wicket hook "
                         "--help");
    }
    const bool start = strcmp(words[EVENT], "challenge-http-start") == 0;
    if (!start && strcmp(words[EVENT], "challenge-http-stop") != 0) {
        return NOT_MINE;
    }
    if (arguments->operand_count != WORDS) {
        return error_set(error, EX_USAGE,
                         "hook acmetool: %s takes HOST TARGET_FILE TOKEN; see wicket hook --help",
                         words[EVENT]);
    }
    char input[ACMETOOL_INPUT_MAX];
    size_t length;
    struct publication one;
    if (acmetool_read_input(input, &length, STDIN_FILENO, INPUT_MS, error) < 0 ||
        call_read(&one, "acmetool", words[HOST], words[TOKEN], input, length, error) < 0) {
        return -1;
    }
    return start ? call_publish(invocation, &one, 1, error)
                 : call_withdraw(invocation, &one, 1, error);
}

const struct hook hook_acmetool = {"acmetool", hook};
