// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/message.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "wicket/challenge.h"

size_t message_length(const struct message_protocol *protocol, uint16_t type)
{
    return type < protocol->type_count ? protocol->types[type].length : 0;
}

void message_init(const struct message_protocol *protocol, void *message, uint16_t type)
{
    struct message_header header = {
        .magic = protocol->magic,
        .version = protocol->version,
        .type = type,
    };
    memset(message, 0, protocol->capacity);
    memcpy(message, &header, sizeof(header));
}

static uint64_t read_number(const void *bytes, size_t size)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (size) {
    case sizeof(two):
        memcpy(&two, bytes, size);
        return two;
    case sizeof(four):
        memcpy(&four, bytes, size);
        return four;
    default:
        memcpy(&eight, bytes, sizeof(eight));
        return eight;
    }
}

static bool is_printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    }
    return true;
}

static int check_string(const struct message_field *field, const char *text, struct error *error)
{
    size_t length = strnlen(text, field->size);
    if (length == field->size)
        return error_set(error, EX_DATAERR, "%s is not terminated", field->name);
    for (size_t i = length; i < field->size; i++) {
        if (text[i] != '\0')
            return error_set(error, EX_DATAERR, "%s has bytes behind its end", field->name);
    }

    struct challenge challenge;
    if (field->rule == MESSAGE_PRINTABLE && !is_printable(text, length))
        return error_set(error, EX_DATAERR, "%s is not printable", field->name);
    if (field->rule == MESSAGE_TOKEN)
        return challenge_check_token(text, length, error);
    if (field->rule == MESSAGE_KEY_AUTHORIZATION)
        return challenge_parse(&challenge, text, length, error);
    return 0;
}

static int check_field(const struct message_field *field, const void *bytes, struct error *error)
{
    uint64_t number = 0;
    switch (field->rule) {
    case MESSAGE_STRING:
    case MESSAGE_PRINTABLE:
    case MESSAGE_TOKEN:
    case MESSAGE_KEY_AUTHORIZATION:
        return check_string(field, bytes, error);
    case MESSAGE_NUMBER:
        number = read_number(bytes, field->size);
        if (number >= field->min && number <= field->max)
            return 0;
        return error_set(error, EX_DATAERR,
                         "%s is %" PRIu64 ": it must be from %" PRIu64 " to %" PRIu64, field->name,
                         number, field->min, field->max);
    case MESSAGE_FAMILY:
    case MESSAGE_FAMILY_OR_NONE:
        number = read_number(bytes, field->size);
        if (number == AF_INET || number == AF_INET6 ||
            (number == AF_UNSPEC && field->rule == MESSAGE_FAMILY_OR_NONE))
            return 0;
        return error_set(error, EX_DATAERR, "%s is %" PRIu64 ": no address family it may be",
                         field->name, number);
    }
    return error_set(error, EX_SOFTWARE, "%s has no rule", field->name);
}

static int check_header(const struct message_protocol *protocol, const void *message, size_t length,
                        struct message_header *header, struct error *error)
{
    if (length < sizeof(*header))
        return error_set(error, EX_DATAERR, "%zu bytes are too short for a message", length);
    memcpy(header, message, sizeof(*header));
    if (header->magic != protocol->magic)
        return error_set(error, EX_DATAERR, "the peer does not speak this protocol");
    if (header->version != protocol->version)
        return error_set(
            error, EX_DATAERR,
            "the peer speaks version %u, this program version %u: after an upgrade, restart what "
            "still runs",
            header->version, protocol->version);
    size_t expected = message_length(protocol, header->type);
    if (expected == 0)
        return error_set(error, EX_DATAERR, "type %u is unknown", header->type);
    if (length != expected)
        return error_set(error, EX_DATAERR, "%s: %zu bytes instead of %zu",
                         protocol->types[header->type].name, length, expected);
    return 0;
}

int message_check(const struct message_protocol *protocol, const void *message, size_t length,
                  struct error *error)
{
    struct message_header header = {0};
    if (check_header(protocol, message, length, &header, error) != 0)
        return error_prefix(error, "bad %s message", protocol->name);

    const struct message_type *type = &protocol->types[header.type];
    const struct message_field *field = type->fields;
    for (; field < type->fields + MESSAGE_FIELDS_MAX && field->rule != 0; field++) {
        if (check_field(field, (const char *)message + field->offset, error) != 0)
            return error_prefix(error, "bad %s message: %s", protocol->name, type->name);
    }
    if (type->check && type->check(message, error) != 0)
        return error_prefix(error, "bad %s message: %s", protocol->name, type->name);
    return 0;
}
