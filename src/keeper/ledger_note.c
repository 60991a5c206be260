// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/ledger_note.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "keeper/evidence.h"
#include "keeper/keeper.h"

static struct timespec now(void)
{
    struct timespec time = {0};

    clock_gettime(CLOCK_REALTIME, &time);
    return time;
}

/* The window that was last open, also while its last connections finish. */
static struct ledger_stamp stamp(const struct keeper *keeper)
{
    return (struct ledger_stamp){now(), keeper->ledger.keeper, keeper->window.windows};
}

/* Takes the line over. */
static void send_line(struct keeper *keeper, char *line)
{
    ledger_send(&keeper->ledger, line == NULL ? "" : line, line == NULL ? 0 : strlen(line),
                keeper->note.window != 0 ? LEDGER_OPEN : 0);
    free(line);
}

void ledger_note_place(struct keeper *keeper)
{
    struct stat status;

    keeper->note.network = stat("/proc/self/ns/net", &status) == 0 ? status.st_ino : 0;
}

void ledger_note_ruleset(struct keeper *keeper)
{
    char *text = NULL;
    size_t length;
    struct error error;

    keeper->note.ruleset[0] = '\0';
    if (!keeper->ledger.wanted)
        return;
    FILE *stream = open_memstream(&text, &length);
    if (stream == NULL)
        return;
    bool good =
        redirect_write_text(stream, keeper->config, REDIRECT_TABLE, true, true, &error) == 0;
    if (fclose(stream) == 0 && good)
        ledger_digest(keeper->note.ruleset, text, length);
    free(text);
}

void ledger_note_reason(struct keeper *keeper, const struct window_reason *reason)
{
    const struct ledger_stamp at = stamp(keeper);

    if (ledger_may_tell(&keeper->ledger, ledger_share_of(reason->uid), event_now_ms()))
        send_line(keeper, ledger_record_reason(&at, reason));
}

void ledger_note_refused(struct keeper *keeper, const struct ledger_refused *refused)
{
    struct ledger_stamp at = stamp(keeper);

    if (keeper->window.state != WINDOW_OPEN)
        at.window = 0;
    if (ledger_may_tell(&keeper->ledger, ledger_share_of(refused->uid), event_now_ms()))
        send_line(keeper, ledger_record_refused(&at, refused));
}

/* Since the first of those who hold it registered it. */
static uint64_t token_age_ms(const struct keeper *keeper, const char *name)
{
    const struct token *token = tokens_find(&keeper->tokens, name);
    uint64_t since_ms = UINT64_MAX;

    for (const struct window_reason *one = token == NULL ? NULL : token->holders; one != NULL;
         one = one->next_holder)
        if (one->since_ms < since_ms)
            since_ms = one->since_ms;
    return since_ms == UINT64_MAX ? UINT64_MAX : event_now_ms() - since_ms;
}

/* Whoever knows a token can ask for it for ever, from many addresses: no room is theirs alone. */
static bool has_room(struct keeper *keeper, struct validator *from)
{
    struct ledger_note *note = &keeper->note;

    if (from == NULL || note->validations == LEDGER_NOTE_VALIDATIONS)
        return false;
    if (from->window != keeper->window.windows) {
        from->window = keeper->window.windows;
        from->noted = 0;
    }
    if (from->noted == LEDGER_NOTE_OF_ADDRESS)
        return false;
    from->noted++;
    note->validations++;
    return true;
}

void ledger_note_validation(struct keeper *keeper, const struct link_validation *validation,
                            struct validator *from)
{
    const struct ledger_stamp at = stamp(keeper);

    if (!keeper->ledger.wanted)
        return;
    if (!has_room(keeper, from))
        keeper->note.unlisted++;
    else if (ledger_may_tell(&keeper->ledger, LEDGER_OF_VALIDATORS, event_now_ms()))
        send_line(keeper, ledger_record_validation(&at, validation,
                                                   token_age_ms(keeper, validation->token)));
}

/* ---- windows ---- */

static void note_opened(struct keeper *keeper, uint64_t now_ms)
{
    struct ledger_note *note = &keeper->note;
    const struct window *window = &keeper->window;
    const struct ledger_stamp at = stamp(keeper);
    const struct ledger_opened opened = {
        .reason = window->reasons,
        .ruleset = note->ruleset,
        .port = keeper->config->redirect.port,
        .network = note->network,
    };

    note->window = window->windows;
    note->opened_ms = window->opened_ms;
    note->leased = false;
    note->validations = 0;
    note->unlisted = 0;
    /* The counters of the last window are fresh with the answer that this one waits for too. */
    if (note->shut_waits) {
        window_ping(&keeper->window, now_ms);
        note->shut_sequence = window_ping_sequence(window);
    }
    if (opened.reason != NULL)
        send_line(keeper, ledger_record_opened(&at, &opened));
}

static void write_shut(struct keeper *keeper, const struct redirect_counters *table)
{
    struct ledger_note *note = &keeper->note;
    const struct ledger_stamp at = {note->shut_time, keeper->ledger.keeper, note->shut_window};
    struct evidence seen;

    keeper_evidence(keeper, note->shut_leased, table, &seen);
    const struct ledger_shut shut = {
        .open_ms = note->shut_open_ms,
        .why = note->shut_why,
        .trouble = note->shut_trouble,
        .tokens = note->shut_tokens,
        .validations = seen.validations,
        .unlisted = note->shut_unlisted,
        .addresses = seen.addresses,
        .passed = seen.passed,
        .turned_away = seen.turned_away,
        .unknown = seen.unknown,
        .unknown_address = seen.unknown_address,
        .redirected = seen.redirected,
        .arrived = seen.arrived,
    };

    note->shut_waits = false;
    send_line(keeper, ledger_record_shut(&at, &shut));
}

static void note_shut(struct keeper *keeper, uint64_t now_ms)
{
    struct ledger_note *note = &keeper->note;

    /* The one before, of which the counters were not fresh yet. */
    if (note->shut_waits)
        write_shut(keeper, NULL);
    note->shut_waits = true;
    note->shut_leased = note->leased;
    note->shut_window = note->window;
    note->shut_open_ms = now_ms - note->opened_ms;
    note->shut_tokens = keeper->evidence_tokens;
    note->shut_unlisted = note->unlisted;
    note->shut_time = now();
    note->shut_why = keeper->shut_reason;
    memcpy(note->shut_trouble, keeper->trouble, sizeof(note->shut_trouble));
    note->window = 0;
    window_ping(&keeper->window, now_ms);
    note->shut_sequence = window_ping_sequence(&keeper->window);
    note->shut_by_ms = now_ms + LEDGER_NOTE_FRESH_MS;
}

void ledger_note_window(struct keeper *keeper, uint64_t now_ms)
{
    struct ledger_note *note = &keeper->note;
    const struct window *window = &keeper->window;
    bool is_open = window->state == WINDOW_OPEN;

    if (!keeper->ledger.wanted)
        return;
    if (note->window != 0 && note->window == window->windows && window->was_leased)
        note->leased = true;
    if (note->window != 0 && (!is_open || note->window != window->windows))
        note_shut(keeper, now_ms);
    if (is_open && note->window == 0)
        note_opened(keeper, now_ms);
}

void ledger_note_answered(struct keeper *keeper, uint64_t now_ms)
{
    const struct ledger_note *note = &keeper->note;
    const struct window *window = &keeper->window;

    if (note->shut_waits && (window->ping_answered >= note->shut_sequence ||
                             !window->responder_ready || now_ms >= note->shut_by_ms))
        write_shut(keeper, NULL);
}

void ledger_note_counters(struct keeper *keeper, const struct redirect_counters *table)
{
    if (keeper->note.shut_waits)
        write_shut(keeper, table);
}

uint64_t ledger_note_next_ms(const struct keeper *keeper)
{
    return keeper->note.shut_waits ? keeper->note.shut_by_ms : UINT64_MAX;
}

void ledger_note_end(struct keeper *keeper)
{
    if (keeper->note.window != 0)
        note_shut(keeper, event_now_ms());
    if (keeper->note.shut_waits)
        write_shut(keeper, NULL);
}
