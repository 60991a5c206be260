// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/reload.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "keeper/keeper.h"
#include "keeper/listen.h"
#include "wicket/log.h"
#include "wicket/sources.h"

/* The first line that is wrong, for the status; all of them go to the log. */
static int read_fresh(const struct keeper *keeper, struct config *fresh, struct error *error)
{
    struct config_errors *errors = calloc(1, sizeof(*errors));
    int exit_code = EX_CONFIG;

    if (errors == NULL) {
        error_set(error, EX_OSERR, "out of memory");
        return -1;
    }
    int outcome = config_read(fresh, keeper->config->path, keeper->options.config_optional, errors,
                              &exit_code);
    for (size_t i = 0; outcome < 0 && i < errors->count; i++)
        log_errorx("%s", errors->lines[i]);
    if (outcome < 0)
        error_set(error, exit_code, "%s", errors->count == 0 ? "unreadable" : errors->lines[0]);
    free(errors);
    if (outcome == 0 && sources_read(fresh, error) < 0) {
        log_errorx("%s", error->text);
        config_deinit(fresh);
        outcome = -1;
    }
    return outcome;
}

static void note_kept(const struct config *fresh, const char *key, bool changed)
{
    if (changed)
        log_warnx("%s: %s takes effect when the keeper starts again, and is as before until then",
                  fresh->path, key);
}

static void keep_text(const struct config *fresh, const char *key, char *text, const char *old,
                      size_t capacity)
{
    note_kept(fresh, key, strcmp(text, old) != 0);
    memcpy(text, old, capacity);
}

/* What was settled when the keeper started. */
static void keep(struct config *fresh, const struct config *old)
{
    note_kept(fresh, "responder.port", fresh->responder.port != old->responder.port);
    fresh->responder.port = old->responder.port;
    keep_text(fresh, "responder.user", fresh->responder.user, old->responder.user,
              sizeof(fresh->responder.user));
    fresh->responder.user_given = old->responder.user_given;
    keep_text(fresh, "tokens.webroot", fresh->tokens.webroot, old->tokens.webroot,
              sizeof(fresh->tokens.webroot));
    keep_text(fresh, "control.socket", fresh->control.socket, old->control.socket,
              sizeof(fresh->control.socket));
    keep_text(fresh, "control.group", fresh->control.group, old->control.group,
              sizeof(fresh->control.group));
    fresh->control.group_given = old->control.group_given;
    keep_text(fresh, "ledger.file", fresh->ledger.file, old->ledger.file,
              sizeof(fresh->ledger.file));
    note_kept(fresh, "ledger.size", fresh->ledger.size != old->ledger.size);
    fresh->ledger.size = old->ledger.size;
}

/* The table as text says everything about it, whatever the keys are that make it up. NULL: no
 * memory, or it cannot be. The caller frees it. */
static char *describe_table(const struct config *config, struct error *error)
{
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);

    if (stream == NULL) {
        error_set_errno(error, EX_OSERR, "cannot describe the table");
        return NULL;
    }
    int outcome = redirect_write_text(stream, config, REDIRECT_TABLE, true, true, error);
    if (fclose(stream) == 0 && outcome == 0)
        return text;
    free(text);
    return NULL;
}

static int replace_table(struct keeper *keeper, const struct config *fresh, struct error *error)
{
    uint64_t now_ms = event_now_ms();
    uint64_t ends_ms = keeper->window.armed_ms + keeper->config->window.lease_ms;
    bool stays = keeper->in_force && keeper->shut_due_ms == UINT64_MAX;
    uint64_t left_ms = stays && ends_ms > now_ms ? ends_ms - now_ms : 0;
    struct redirect_counters counters = {0};
    struct redirect_relay *relays;
    size_t relay_count;

    if (!pass_relays(&keeper->pass, &relays, &relay_count))
        return error_set(error, EX_OSERR, "out of memory");
    redirect_read_connections(keeper->redirect, &counters, NULL);
    int outcome = redirect_replace(keeper->redirect, fresh, left_ms, relays, relay_count, error);
    free(relays);
    if (outcome < 0)
        return -1;
    pass_table_replaced(keeper, fresh->other_requests == CONFIG_OTHER_PASS);
    log_info("the table was replaced%s", left_ms > 0 ? ", the window stays open" : "");
    /* Its counters begin anew; what the window has counted so far is not lost, since the difference
     * that is taken wraps around. */
    struct redirect_count sum = redirect_count_sum(&counters);
    keeper->before.redirected -= sum.redirected;
    keeper->before.arrived -= sum.arrived;
    arrival_begin(&keeper->arrival, &(struct redirect_counters){0}, arrival_bans_hold(fresh));
    return 0;
}

/* A listener that is transparent is of use to both methods, one that is not only to redirect: it is
 * so before tproxy begins, and as long as it may last. */
static int replace_method(struct keeper *keeper, const struct config *fresh, struct error *error)
{
    bool before = keeper->config->redirect.method == CONFIG_METHOD_TPROXY;
    bool after = fresh->redirect.method == CONFIG_METHOD_TPROXY;
    struct error ignored;

    if (after && !before &&
        listen_set_transparent(keeper->listen_fds, keeper->listen_count, true, error) < 0)
        return -1;
    int outcome = replace_table(keeper, fresh, error);
    bool transparent = outcome == 0 ? after : before;
    if ((after || before) && !transparent &&
        listen_set_transparent(keeper->listen_fds, keeper->listen_count, false, &ignored) < 0)
        log_warnx("%s", ignored.text);
    return outcome;
}

static int update_table(struct keeper *keeper, const struct config *fresh, struct error *error)
{
    struct error ignored;
    int outcome = -1;
    char *new = describe_table(fresh, error);
    char *old = new == NULL ? NULL : describe_table(keeper->config, &ignored);

    if (new != NULL)
        outcome = old != NULL && strcmp(old, new) == 0 ? 0 : replace_method(keeper, fresh, error);
    free(old);
    free(new);
    return outcome;
}

/* Takes over `fresh`. */
static void adopt(struct keeper *keeper, const struct config *fresh)
{
    struct window_options window;
    struct link_setup setup;
    struct error error;

    config_deinit(keeper->config);
    *keeper->config = *fresh; /* in place: others point at it */
    keeper_window_options(&window, keeper->config);
    window_configure(&keeper->window, &window);
    keeper_link_setup(keeper, &setup);
    child_configure(&keeper->child, &setup);
    if (keeper_admission_watch(keeper, &error) < 0)
        log_warnx("%s; the chains that admit are looked at with each renewal of the lease",
                  error.text);
    if (keeper_sources_watch(keeper, &error) < 0)
        log_warnx("%s", error.text);
    ledger_note_ruleset(keeper);
}

static void note_sources(struct keeper *keeper)
{
    const struct config *config = keeper->config;

    keeper->sources.refused[0] = '\0';
    if (config->redirect.sources_file[0] == '\0')
        return;
    log_info("%s: sources in force: %zu%s", config->redirect.sources_file,
             config->redirect.source_count - config->redirect.source_listed,
             config->redirect.source_count == 0 ? "; nobody is redirected" : "");
}

void reload_run(struct keeper *keeper)
{
    struct config fresh;
    struct error error = {0};

    service_reloading(keeper->options.service);
    keeper->refused[0] = '\0';
    if (read_fresh(keeper, &fresh, &error) == 0) {
        keep(&fresh, keeper->config);
        if (update_table(keeper, &fresh, &error) == 0) {
            adopt(keeper, &fresh);
            note_sources(keeper);
            log_info("%s: in force", keeper->config->path);
        } else {
            log_errorx("%s", error.text);
            config_deinit(&fresh);
        }
    }
    if (error.exit_code != 0) {
        log_errorx("%s: refused, the previous configuration stays in force", keeper->config->path);
        snprintf(keeper->refused, sizeof(keeper->refused), "%.*s", (int)sizeof(keeper->refused) - 1,
                 error.text);
    }
    service_ready(keeper->options.service);
}

/* Of the configuration in force, but with the file's sources as they are now. */
static int read_sources(const struct keeper *keeper, struct config *fresh, struct error *error)
{
    const struct config *config = keeper->config;
    size_t listed = config->redirect.source_listed;

    *fresh = *config;
    fresh->redirect.source_count = listed;
    fresh->redirect.sources = reallocarray(NULL, listed + 1, sizeof(struct config_network));
    if (fresh->redirect.sources == NULL)
        return error_set(error, EX_OSERR, "out of memory");
    if (listed > 0)
        memcpy(fresh->redirect.sources, config->redirect.sources,
               listed * sizeof(struct config_network));
    return sources_read(fresh, error);
}

void reload_sources(struct keeper *keeper)
{
    struct config fresh;
    struct error error;

    if (read_sources(keeper, &fresh, &error) == 0 && update_table(keeper, &fresh, &error) == 0) {
        struct config_network *old = keeper->config->redirect.sources;

        keeper->config->redirect.sources = fresh.redirect.sources;
        keeper->config->redirect.source_count = fresh.redirect.source_count;
        free(old);
        note_sources(keeper);
        ledger_note_ruleset(keeper);
        return;
    }
    free(fresh.redirect.sources);
    log_errorx("%s", error.text);
    log_errorx("%s: refused, the previous sources stay in force",
               keeper->config->redirect.sources_file);
    snprintf(keeper->sources.refused, sizeof(keeper->sources.refused), "%.*s",
             (int)sizeof(keeper->sources.refused) - 1, error.text);
}
