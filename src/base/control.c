// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <sysexits.h>

#include "base/message.h"
#include "wicket/challenge.h"
#include "wicket/duration.h"

/* What crosses a process boundary has no padding, which would carry bytes of our memory. */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"
#include "wicket/control.h"
#pragma GCC diagnostic pop

static_assert(sizeof(struct control_header) == sizeof(struct message_header), "one header");
static_assert(sizeof(struct control_header) == 8, "control_header");
static_assert(sizeof(struct control_hello) == 4112, "control_hello");
static_assert(sizeof(struct control_result) == 780, "control_result");
static_assert(sizeof(struct control_document) == 8208, "control_document");
static_assert(sizeof(struct control_socket) == 80, "control_socket");
static_assert(sizeof(struct control_report) == 912, "control_report");
static_assert(sizeof(struct control_add) == 408, "control_add");
static_assert(sizeof(struct control_remove) == 372, "control_remove");
static_assert(sizeof(struct control_open) == 112, "control_open");
static_assert(sizeof(struct control_arm) == 112, "control_arm");
static_assert(sizeof(struct control_probe) == 16, "control_probe");
static_assert(sizeof(struct control_probe_at) == 72, "control_probe_at");
static_assert(sizeof(struct control_plain) == 8, "control_plain");
static_assert(sizeof(((struct error *)0)->text) == CONTROL_TEXT_MAX, "a result holds any error");

static int check_result(const void *message, struct error *error)
{
    const struct control_result *result = message;
    if (result->exit_code != 0 && (result->exit_code < 64 || result->exit_code > 78))
        return error_set(error, EX_DATAERR, "exit_code is %d: no code of sysexits.h",
                         result->exit_code);
    return 0;
}

static int check_document(const void *message, struct error *error)
{
    const struct control_document *document = message;
    if (document->length > document->total)
        return error_set(error, EX_DATAERR, "a piece of %u bytes of a document of %u",
                         document->length, document->total);
    for (size_t i = document->length; i < sizeof(document->bytes); i++) {
        if (document->bytes[i] != '\0')
            return error_set(error, EX_DATAERR, "bytes has bytes behind its end");
    }
    return 0;
}

/* The key authorization and the token of a client are only checked to be strings here: one that
 * is not well formed deserves an answer that says so, not a closed connection. */
static const struct message_type types[] =
    {
        [CONTROL_HELLO] =
            {
                .name = "hello",
                .length = sizeof(struct control_hello),
                .fields =
                    {
                        MESSAGE_RESERVED(struct control_hello, reserved),
                        MESSAGE_RULE(struct control_hello, config_path, MESSAGE_STRING),
                    },
            },
        [CONTROL_RESULT] =
            {
                .name = "result",
                .length = sizeof(struct control_result),
                .fields = {MESSAGE_RULE(struct control_result, text, MESSAGE_STRING)},
                .check = check_result,
            },
        [CONTROL_DOCUMENT] =
            {
                .name = "document",
                .length = sizeof(struct control_document),
                .fields = {MESSAGE_RANGE(struct control_document, length, 1, CONTROL_CHUNK_MAX)},
                .check = check_document,
            },
        [CONTROL_SOCKET] =
            {
                .name = "socket",
                .length = sizeof(struct control_socket),
                .fields =
                    {
                        MESSAGE_RULE(struct control_socket, family, MESSAGE_FAMILY_OR_NONE),
                        MESSAGE_RULE(struct control_socket, address, MESSAGE_STRING),
                        MESSAGE_RESERVED(struct control_socket, reserved),
                    },
            },
        [CONTROL_REPORT] =
            {
                .name = "report",
                .length = sizeof(struct control_report),
                .fields =
                    {
                        MESSAGE_RULE(struct control_report, unknown_address, MESSAGE_PRINTABLE),
                        MESSAGE_RULE(struct control_report, text, MESSAGE_STRING),
                    },
            },
        [CONTROL_ADD] =
            {
                .name = "add",
                .length = sizeof(struct control_add),
                .fields =
                    {
                        MESSAGE_RULE(struct control_add, key_authorization, MESSAGE_STRING),
                        MESSAGE_RULE(struct control_add, purpose, MESSAGE_PRINTABLE),
                    },
            },
        [CONTROL_REMOVE] =
            {
                .name = "remove",
                .length = sizeof(struct control_remove),
                .fields =
                    {
                        MESSAGE_RULE(struct control_remove, token, MESSAGE_STRING),
                        MESSAGE_RANGE(struct control_remove, explain, 0, 1),
                        MESSAGE_RULE(struct control_remove, purpose, MESSAGE_PRINTABLE),
                    },
            },
        [CONTROL_OPEN] =
            {
                .name = "open",
                .length = sizeof(struct control_open),
                .fields =
                    {
                        MESSAGE_RANGE(struct control_open, duration_ms, 0, DURATION_MAX_MS),
                        MESSAGE_RULE(struct control_open, purpose, MESSAGE_PRINTABLE),
                    },
            },
        [CONTROL_CLOSE] = {.name = "close", .length = sizeof(struct control_plain)},
        [CONTROL_ARM] =
            {
                .name = "arm",
                .length = sizeof(struct control_arm),
                .fields =
                    {
                        MESSAGE_RANGE(struct control_arm, open, 0, 1),
                        MESSAGE_RESERVED(struct control_arm, reserved),
                        MESSAGE_RULE(struct control_arm, purpose, MESSAGE_PRINTABLE),
                    },
            },
        [CONTROL_STATUS] = {.name = "status", .length = sizeof(struct control_plain)},
        [CONTROL_PROBE] =
            {
                .name = "probe",
                .length = sizeof(struct control_probe),
                .fields =
                    {
                        MESSAGE_RULE(struct control_probe, family, MESSAGE_FAMILY),
                        MESSAGE_RANGE(struct control_probe, loopback, 0, 1),
                    },
            },
        [CONTROL_SETTLE] = {.name = "settle", .length = sizeof(struct control_plain)},
        [CONTROL_PROBE_AT] =
            {
                .name = "probe at",
                .length = sizeof(struct control_probe_at),
                .fields = {MESSAGE_RULE(struct control_probe_at, address, MESSAGE_PRINTABLE)},
            },
        [CONTROL_ASK_REPORT] = {.name = "ask report", .length = sizeof(struct control_plain)},
};

static const struct message_protocol protocol = {
    .name = "control",
    .magic = CONTROL_MAGIC,
    .version = CONTROL_VERSION,
    .types = types,
    .type_count = sizeof(types) / sizeof(types[0]),
    .capacity = sizeof(union control_message),
};

size_t control_message_length(uint16_t type)
{
    return message_length(&protocol, type);
}

void control_message_init(union control_message *message, enum control_type type)
{
    message_init(&protocol, message, (uint16_t)type);
}

int control_message_check(const union control_message *message, size_t length, struct error *error)
{
    return message_check(&protocol, message, length, error);
}

ssize_t control_send(int socket, const union control_message *message, int fd)
{
    return message_send(&protocol, socket, message, fd);
}

ssize_t control_receive(int socket, union control_message *message, int *fd_out)
{
    ssize_t received = message_receive(&protocol, socket, message, fd_out);

    if (received >= 0 && fd_out && *fd_out == MESSAGE_FD_LOST) {
        *fd_out = -1;
        errno = EMFILE;
        return -1;
    }
    return received;
}
