// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A client's end of the control socket: whatever the keeper says, from the greeting on, is taken
 * only where it is good and has its place, and what people are shown of it is printable. The first
 * record is the greeting and what is asked, the others are the answer.
 */
#include <fcntl.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../base/records.h"
#include "../base/require.h"
#include "cli/connection.h"
#include "cli/document.h"
#include "cli/report.h"
#include "cli/status_text.h"
#include "fake.h"
#include "wicket/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a record says: its low bits are a type of message, 0 is a packet as it stands. */
#define WITH_DESCRIPTOR 0x80
#define TIMEOUT_MS      2000

static struct fake fake;
static sem_t answered; /* by the keeper, for good: it needs the input no more */

static void say(int client, const struct record *record)
{
    int fd = record->what & WITH_DESCRIPTOR ? fake.stop[0] : -1;
    uint16_t type = record->what & 0x0f;
    size_t length = control_message_length(type);
    union control_message message;

    if (length == 0) {
        record_send(client, record->bytes, record->length, fd);
        return;
    }
    control_message_init(&message, (enum control_type)type);
    record_fill(record, &message, sizeof(message.header), length);
    /* Documents are short here, else no input would have more than one. */
    if (type == CONTROL_DOCUMENT && message.document.length == 0) {
        size_t numbers = sizeof(message.document.total) + sizeof(message.document.length);
        size_t rest = record->length > numbers ? record->length - numbers : 0;
        message.document.length = (uint32_t)(rest < CONTROL_CHUNK_MAX ? rest : CONTROL_CHUNK_MAX);
        message.document.total =
            message.document.total != 0 ? message.document.total : message.document.length;
    }
    record_send(client, &message, length, fd);
}

/* The keeper: greets, hears one request, answers it and goes. */
static void script(struct fake *one, int client, int number)
{
    struct records *records = one->context;
    union control_message request;
    struct record record;

    (void)number;
    if (records_next(records, &record)) {
        say(client, &record);
        if (fake_next(client, &request) != 0) {
            while (records_next(records, &record))
                say(client, &record);
        }
    }
    require(sem_post(&answered) == 0);
}

static void stop(void)
{
    fake_stop(&fake);
}

static void check_printable(const char *text, size_t length, bool lines)
{
    for (size_t i = 0; i < length; i++)
        require((text[i] >= ' ' && text[i] <= '~') || (lines && text[i] == '\n'));
}

static void ask_status(struct connection *connection)
{
    char *document, *text;
    size_t length, shown;
    struct error error;

    if (document_fetch(connection, &document, &length, &error) < 0) {
        require(error.exit_code != 0 && error.text[0] != '\0');
        return;
    }
    FILE *stream = open_memstream(&text, &shown);
    require(stream != NULL);
    if (status_text_write(stream, document, length, &error) == 0 &&
        status_text_summary(stream, document, length, &error) == 0)
        status_text_has_token(document, length, "token");
    fclose(stream);
    check_printable(text, shown, true);
    free(text);
    free(document);
}

static int take(void *context, const union control_message *message, int fd, struct error *error)
{
    char text[2048];

    require(message->header.type == *(const uint16_t *)context);
    if (fd >= 0)
        close(fd);
    if (message->header.type == CONTROL_REPORT)
        require(strlen(report_format(text, sizeof(text), &message->report)) > 0);
    return message->header.type == CONTROL_SOCKET && message->socket.family == 0
               ? error_set(error, 75, "no address")
               : 0;
}

static void ask(struct connection *connection, enum control_type request, uint16_t awaited)
{
    const struct connection_answer answer = {(enum control_type)awaited, take, &awaited};
    char warning[CONTROL_TEXT_MAX] = "";
    union control_message message;
    struct error error = {0};

    control_message_init(&message, request);
    if (request == CONTROL_PROBE)
        message.probe.family = AF_INET;
    if (connection_ask(connection, &message, awaited != 0 ? &answer : NULL, TIMEOUT_MS, warning,
                       &error) < 0)
        require(error.exit_code != 0 && error.text[0] != '\0');
    require(memchr(warning, '\0', sizeof(warning)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct records records;
    struct connection connection = CONNECTION_CLOSED;
    enum connection_state state;
    struct error error = {0};
    static int log = -1;

    records = (struct records){data, size};
    if (log < 0) {
        log_init(log = open("/dev/null", O_WRONLY | O_CLOEXEC), "fuzz", 1);
        require(sem_init(&answered, 0, 0) == 0);
        fake_start(&fake, script, &records);
        require(atexit(stop) == 0);
    }
    fake.settings.given = size > 0 && (data[0] & 0x40) != 0;
    int result = connection_attempt(&connection, &fake.settings, UINT64_MAX, &state, &error);
    require(result == 0 || (error.exit_code != 0 && error.text[0] != '\0'));
    if (result == 0 && state == CONNECTION_READY) {
        switch (data[0] >> 4 & 3) {
        case 0:
            ask_status(&connection);
            break;
        case 1:
            ask(&connection, CONTROL_CLOSE, 0);
            break;
        case 2:
            ask(&connection, CONTROL_ASK_REPORT, CONTROL_REPORT);
            break;
        default:
            ask(&connection, CONTROL_PROBE, CONTROL_SOCKET);
            break;
        }
    }
    connection_close(&connection);
    while (sem_wait(&answered) != 0)
        ;
    return 0;
}
