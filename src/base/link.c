// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "base/message.h"
#include "wicket/challenge.h"
#include "wicket/duration.h"

/* As in control.c. */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"
#include "wicket/link.h"
#pragma GCC diagnostic pop

/* One of two names, each in its own room. */
// NOLINTNEXTLINE(misc-redundant-expression)
static_assert(LINK_FD_LOST == MESSAGE_FD_LOST, "one number");
static_assert(sizeof(struct link_header) == sizeof(struct message_header), "one header");
static_assert(sizeof(struct link_header) == 8, "link_header");
static_assert(sizeof(struct link_setup) == 56, "link_setup");
static_assert(sizeof(struct link_token) == 312, "link_token");
static_assert(sizeof(struct link_forget) == 272, "link_forget");
static_assert(sizeof(struct link_stateless) == 56, "link_stateless");
static_assert(sizeof(struct link_ping) == 16, "link_ping");
static_assert(sizeof(struct link_pong) == 80, "link_pong");
static_assert(sizeof(struct link_validation) == 784, "link_validation");
static_assert(sizeof(struct link_drain) == 24, "link_drain");
static_assert(sizeof(struct link_drained) == 16, "link_drained");
static_assert(sizeof(struct link_pass) == 16, "link_pass");
static_assert(sizeof(struct link_passed) == 24, "link_passed");
static_assert(sizeof(struct link_plain) == 8, "link_plain");

#define UNDECIDED_MAX 65536
/* The kernel's own bound on numbers of errors (linux/err.h). */
#define ERRNO_MAX 4095

static int check_setup(const void *message, struct error *error)
{
    const struct link_setup *setup = message;
    if (setup->sidecar == 0 && (setup->uid == 0 || setup->gid == 0))
        return error_set(error, EX_DATAERR, "full mode, but uid %u and gid %u to become",
                         setup->uid, setup->gid);
    if (setup->undecided_per_address > setup->undecided)
        return error_set(error, EX_DATAERR, "undecided_per_address is %u, over undecided, %u",
                         setup->undecided_per_address, setup->undecided);
    return 0;
}

static int check_stateless(const void *message, struct error *error)
{
    const char *thumbprint = ((const struct link_stateless *)message)->thumbprint;
    size_t length = strlen(thumbprint);
    return length == 0 ? 0 : challenge_check_thumbprint(thumbprint, length, error);
}

/* An address of 16 bytes, of which the family uses the first. */
static int check_address(const uint8_t address[16], uint16_t family, struct error *error)
{
    size_t used = family == AF_INET6 ? 16 : family == AF_INET ? 4 : 0;
    for (size_t i = used; i < 16; i++) {
        if (address[i] != 0)
            return error_set(error, EX_DATAERR, "%s has bytes behind its end",
                             family == AF_INET ? "an IPv4 address" : "no address");
    }
    return 0;
}

static int check_validation(const void *message, struct error *error)
{
    const struct link_validation *validation = message;
    if (check_address(validation->address, validation->family, error) < 0)
        return -1;
    return check_address(validation->local,
                         validation->local_known != 0 ? validation->family : AF_UNSPEC, error);
}

static int check_pong(const void *message, struct error *error)
{
    const struct link_pong *pong = message;
    if (pong->passing > pong->connections)
        return error_set(error, EX_DATAERR, "passing is %u, over connections, %u", pong->passing,
                         pong->connections);
    if ((pong->unknown != 0) != (pong->unknown_family != AF_UNSPEC))
        return error_set(error, EX_DATAERR, "unknown and unknown_family do not agree");
    return check_address(pong->unknown_address, pong->unknown_family, error);
}

static int check_passed(const void *message, struct error *error)
{
    const struct link_passed *passed = message;
    if (passed->failure != 0 && passed->connected != 0)
        return error_set(error, EX_DATAERR, "connected and failed at once");
    return 0;
}

static const struct message_type types[] =
    {
        [LINK_SETUP] =
            {
                .name = "setup",
                .length = sizeof(struct link_setup),
                .fields =
                    {
                        MESSAGE_RANGE(struct link_setup, listeners, 1, 2),
                        MESSAGE_RANGE(struct link_setup, sidecar, 0, 1),
                        MESSAGE_RANGE(struct link_setup, undecided, 1, UNDECIDED_MAX),
                        MESSAGE_RANGE(struct link_setup, undecided_per_address, 1, UNDECIDED_MAX),
                        MESSAGE_RANGE(struct link_setup, first_byte_ms, 1, DURATION_MAX_MS),
                        MESSAGE_RANGE(struct link_setup, deadline_ms, 1, DURATION_MAX_MS),
                        MESSAGE_RANGE(struct link_setup, other_requests, LINK_OTHER_PASS,
                                      LINK_OTHER_HTTPS),
                        MESSAGE_RESERVED(struct link_setup, reserved),
                    },
                .check = check_setup,
            },
        [LINK_TOKEN] =
            {
                .name = "token",
                .length = sizeof(struct link_token),
                .fields = {MESSAGE_RULE(struct link_token, key_authorization,
                                        MESSAGE_KEY_AUTHORIZATION)},
            },
        [LINK_FORGET] =
            {
                .name = "forget",
                .length = sizeof(struct link_forget),
                .fields = {MESSAGE_RULE(struct link_forget, token, MESSAGE_TOKEN)},
            },
        [LINK_PING] = {.name = "ping", .length = sizeof(struct link_ping)},
        [LINK_DRAIN] =
            {
                .name = "drain",
                .length = sizeof(struct link_drain),
                .fields = {MESSAGE_RANGE(struct link_drain, idle_ms, 0, DURATION_MAX_MS)},
            },
        [LINK_PASSED] =
            {
                .name = "passed",
                .length = sizeof(struct link_passed),
                .fields =
                    {
                        MESSAGE_RANGE(struct link_passed, id, 1, UINT64_MAX),
                        MESSAGE_RANGE(struct link_passed, failure, 0, ERRNO_MAX),
                        MESSAGE_RANGE(struct link_passed, connected, 0, 1),
                    },
                .check = check_passed,
            },
        [LINK_STATELESS] =
            {
                .name = "stateless",
                .length = sizeof(struct link_stateless),
                .fields = {MESSAGE_RULE(struct link_stateless, thumbprint, MESSAGE_STRING)},
                .check = check_stateless,
            },
        [LINK_READY] = {.name = "ready", .length = sizeof(struct link_plain)},
        [LINK_PONG] =
            {
                .name = "pong",
                .length = sizeof(struct link_pong),
                .fields =
                    {
                        MESSAGE_RANGE(
                            struct link_pong, exhausted, 0,
                            LINK_EXHAUSTED_FDS | LINK_EXHAUSTED_MEMORY | LINK_EXHAUSTED_PASSES),
                        MESSAGE_RULE(struct link_pong, unknown_family, MESSAGE_FAMILY_OR_NONE),
                        MESSAGE_RESERVED(struct link_pong, reserved),
                    },
                .check = check_pong,
            },
        [LINK_VALIDATION] =
            {
                .name = "validation",
                .length = sizeof(struct link_validation),
                .fields =
                    {
                        MESSAGE_RULE(struct link_validation, family, MESSAGE_FAMILY),
                        MESSAGE_RANGE(struct link_validation, loopback, 0, 1),
                        MESSAGE_RANGE(struct link_validation, status, 200, 599),
                        MESSAGE_RANGE(struct link_validation, local_known, 0, 1),
                        MESSAGE_RULE(struct link_validation, token, MESSAGE_TOKEN),
                        MESSAGE_RULE(struct link_validation, host, MESSAGE_PRINTABLE),
                        MESSAGE_RULE(struct link_validation, user_agent, MESSAGE_PRINTABLE),
                    },
                .check = check_validation,
            },
        [LINK_DRAINED] =
            {
                .name = "drained",
                .length = sizeof(struct link_drained),
                .fields = {MESSAGE_RANGE(struct link_drained, sequence, 1, UINT64_MAX)},
            },
        [LINK_PASS] =
            {
                .name = "pass",
                .length = sizeof(struct link_pass),
                .fields = {MESSAGE_RANGE(struct link_pass, id, 1, UINT64_MAX)},
            },
        [LINK_CROWDED] = {.name = "crowded", .length = sizeof(struct link_plain)},
};

static const struct message_protocol protocol = {
    .name = "link",
    .magic = LINK_MAGIC,
    .version = LINK_VERSION,
    .types = types,
    .type_count = sizeof(types) / sizeof(types[0]),
    .capacity = sizeof(union link_message),
};

size_t link_message_length(uint16_t type)
{
    return message_length(&protocol, type);
}

void link_message_init(union link_message *message, enum link_type type)
{
    message_init(&protocol, message, (uint16_t)type);
}

int link_message_check(const union link_message *message, size_t length, struct error *error)
{
    return message_check(&protocol, message, length, error);
}

bool link_message_carries(const union link_message *message)
{
    return message->header.type == LINK_PASS ||
           (message->header.type == LINK_PASSED && message->passed.failure == 0);
}

ssize_t link_send(int socket, const union link_message *message, int fd)
{
    return message_send(&protocol, socket, message, fd);
}

ssize_t link_receive(int socket, union link_message *message, int *fd_out)
{
    return message_receive(&protocol, socket, message, fd_out);
}
