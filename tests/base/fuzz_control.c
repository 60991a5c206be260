// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "require.h"
#include "wicket/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_string(const char *text, size_t capacity, bool printable)
{
    size_t length = strnlen(text, capacity);
    require(length < capacity);
    for (size_t i = 0; printable && i < length; i++)
        require(text[i] >= 0x20 && text[i] <= 0x7e);
    for (size_t i = length; i < capacity; i++)
        require(text[i] == '\0');
}

#define STRING(field)    check_string(field, sizeof(field), false)
#define PRINTABLE(field) check_string(field, sizeof(field), true)

static void check_accepted(const union control_message *message)
{
    switch ((enum control_type)message->header.type) {
    case CONTROL_HELLO:
        STRING(message->hello.config_path);
        break;
    case CONTROL_RESULT:
        STRING(message->result.text);
        break;
    case CONTROL_DOCUMENT:
        require(message->document.length >= 1 && message->document.length <= CONTROL_CHUNK_MAX);
        require(message->document.length <= message->document.total);
        break;
    case CONTROL_SOCKET:
        STRING(message->socket.address);
        break;
    case CONTROL_REPORT:
        STRING(message->report.text);
        break;
    case CONTROL_ADD:
        STRING(message->add.key_authorization);
        PRINTABLE(message->add.purpose);
        break;
    case CONTROL_REMOVE:
        STRING(message->remove.token);
        PRINTABLE(message->remove.purpose);
        break;
    case CONTROL_OPEN:
        PRINTABLE(message->open.purpose);
        break;
    case CONTROL_ARM:
        require(message->arm.open <= 1 && message->arm.reserved == 0);
        PRINTABLE(message->arm.purpose);
        break;
    case CONTROL_PROBE:
        require(message->probe.loopback <= 1);
        break;
    case CONTROL_PROBE_AT:
        PRINTABLE(message->probe_at.address);
        break;
    case CONTROL_CLOSE:
    case CONTROL_STATUS:
    case CONTROL_SETTLE:
    case CONTROL_ASK_REPORT:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* No longer than the message is, so that the sanitizer sees a read behind its end. */
    union control_message *message = malloc(size > 0 ? size : 1);
    struct error error = {0};

    require(message);
    if (size > 0)
        memcpy(message, data, size);
    if (control_message_check(message, size, &error) == 0) {
        require(size == control_message_length(message->header.type));
        check_accepted(message);
    } else {
        require(error.exit_code == 65 && error.text[0] != '\0');
    }
    free(message);
    return 0;
}
