// SPDX-License-Identifier: GPL-2.0-or-later
#include "ledger/writer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

void writer_tell(struct writer *writer, const char *trouble)
{
    struct ledger_answer answer = {.lost = writer->lost};
    size_t length = strnlen(trouble, sizeof(answer.text) - 1);

    memcpy(answer.text, trouble, length);
    if (strcmp(answer.text, writer->told) == 0 && writer->lost == writer->lost_told)
        return;
    memcpy(writer->told, answer.text, sizeof(answer.text));
    writer->lost_told = writer->lost;
    /* A keeper that is gone, or does not read, does without. */
    (void)send(writer->socket, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* `line` has its newline, or is empty. */
static void append(struct writer *writer, const char *line, size_t length)
{
    char lines[LEDGER_LINE_MAX + 512];
    struct error error;
    size_t used = 0;

    if (writer->owed > 0) {
        used = ledger_line_left_out(lines, sizeof(lines) - LEDGER_LINE_MAX - 1, writer->keeper,
                                    writer->owed);
        lines[used++] = '\n';
    }
    memcpy(lines + used, line, length);
    if (used + length == 0)
        return;
    if (ledger_file_append(&writer->file, lines, used + length, &error) == 0) {
        writer->owed = 0;
        /* A short line fits where the next one will not. */
        if (writer->told[0] == '\0' || ledger_file_has_room(&writer->file))
            writer_tell(writer, "");
        return;
    }
    writer->owed += length > 0;
    writer->lost += length > 0;
    writer_tell(writer, error.text);
}

static void end_without_a_word(struct writer *writer)
{
    char line[LEDGER_LINE_MAX];
    size_t length = ledger_line_lost(line, sizeof(line) - 1, writer->keeper);

    line[length++] = '\n';
    append(writer, line, length);
}

/* One line, and nothing else that would end one. */
static bool is_line(const char *text, size_t length)
{
    for (size_t i = 0; i + 1 < length; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    }
    return length == 0 || (length > 1 && text[length - 1] == '\n');
}

int writer_run(struct writer *writer, struct error *error)
{
    struct ledger_entry entry;

    for (;;) {
        ssize_t got = recv(writer->socket, &entry, sizeof(entry), 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno != ECONNRESET)
            return error_set_errno(error, EX_SOFTWARE, "cannot hear the keeper");
        if (got <= 0) {
            if (writer->window_open)
                end_without_a_word(writer);
            return 0;
        }
        size_t length = (size_t)got - LEDGER_ENTRY_HEAD;
        if ((size_t)got < LEDGER_ENTRY_HEAD || !is_line(entry.line, length))
            return error_set(error, EX_SOFTWARE, "the keeper sent what is no line");
        writer->owed += entry.left_out;
        writer->lost += entry.left_out;
        append(writer, entry.line, length);
        writer->window_open = (entry.flags & LEDGER_OPEN) != 0;
        if ((entry.flags & LEDGER_GOODBYE) != 0)
            return 0;
    }
}
