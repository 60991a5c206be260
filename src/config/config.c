// SPDX-License-Identifier: GPL-2.0-or-later
#include "wicket/config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "config/file.h"
#include "config/loader.h"
#include "config/relations.h"
#include "config/utf8.h"
#include "config/value.h"

void config_init(struct config *config)
{
    memset(config, 0, sizeof(*config));
    for (size_t i = 0; i < SCHEMA_KEY_COUNT; i++) {
        const struct schema_key *key = &schema_keys[i];
        struct value value = {
            .text = key->default_text,
            .length = strlen(key->default_text),
            .plain = true,
        };
        if (schema_is_list(key))
            continue; /* all are empty */
        int result = value_set(config, key, &value, NULL);
        assert(result == 0);
        (void)result;
    }
    config->responder.user_given = false;
    config->control.group_given = false;
    config->other_requests_given = false;
}

void config_deinit(struct config *config)
{
    free(config->redirect.interfaces);
    free(config->redirect.addresses);
    free(config->redirect.sources);
    free(config->redirect.admit);
    free(config->tokens.accounts);
    free(config->tokens.stateless);
    config->redirect.interfaces = NULL;
    config->redirect.addresses = NULL;
    config->redirect.sources = NULL;
    config->redirect.admit = NULL;
    config->tokens.accounts = NULL;
    config->tokens.stateless = NULL;
    config->redirect.interface_count = 0;
    config->redirect.address_count = 0;
    config->redirect.source_count = 0;
    config->redirect.admit_count = 0;
    config->tokens.account_count = 0;
    config->tokens.stateless_count = 0;
}

/* libyaml would say less about it. */
static bool check_characters(struct report *report, const unsigned char *bytes, size_t length)
{
    struct position position = {1, 1};
    for (size_t at = 0; at < length;) {
        size_t character = utf8_length(bytes + at, length - at);
        if (character == 0) {
            report_add(report, &position, NULL, "byte 0x%02x is not UTF-8", bytes[at]);
            return false;
        }
        if (!utf8_is_text(bytes + at, character)) {
            if (character == 1)
                report_add(report, &position, NULL, "byte 0x%02x is a control character",
                           bytes[at]);
            else
                report_add(report, &position, NULL, "a character that is not text");
            return false;
        }
        bool newline =
            bytes[at] == '\n' || (bytes[at] == '\r' && (at + 1 == length || bytes[at + 1] != '\n'));
        position.line += newline ? 1 : 0;
        position.column = newline ? 1 : position.column + 1;
        at += character;
    }
    return true;
}

static int parse(struct config *fresh, const char *name, const void *bytes, size_t length,
                 struct config_errors *errors)
{
    struct report report = {.name = name, .errors = errors};
    if (length > CONFIG_FILE_MAX) {
        report_add(&report, NULL, NULL, "larger than %d KiB: no configuration",
                   CONFIG_FILE_MAX / 1024);
        return -1;
    }
    if (!check_characters(&report, bytes, length))
        return -1;

    struct loader loader = {.config = fresh};
    if (!reader_init(&loader.reader, &report, bytes, length)) {
        report_add(&report, NULL, NULL, "not enough memory");
        return -1;
    }
    if (loader_run(&loader))
        relations_check(&loader);
    /* An admission overrules who may reach port 80: see wicket.yaml(5). */
    if (fresh->redirect.admit_count != 0 && !fresh->other_requests_given)
        fresh->other_requests = CONFIG_OTHER_NOT_FOUND;
    reader_deinit(&loader.reader);
    return errors->count == 0 ? 0 : -1;
}

int config_parse(struct config *config, const char *name, const void *bytes, size_t length,
                 struct config_errors *errors)
{
    struct config fresh;
    *errors = (struct config_errors){0};
    config_init(&fresh);
    snprintf(fresh.path, sizeof(fresh.path), "%s", name);
    fresh.file_exists = true;

    int result = parse(&fresh, name, bytes, length, errors);
    if (result != 0) {
        config_deinit(&fresh);
        config_init(&fresh);
        snprintf(fresh.path, sizeof(fresh.path), "%s", name);
    }
    *config = fresh;
    return result;
}

int config_read(struct config *config, const char *path, bool absent_is_fine,
                struct config_errors *errors, int *exit_code)
{
    *errors = (struct config_errors){0};
    config_init(config);

    struct file file = {0};
    struct error error = {0};
    int failed = file_read(&file, path, &error);
    memcpy(config->path, file.path, sizeof(config->path));
    if (failed) {
        struct report report = {.name = file.path, .errors = errors};
        report_add(&report, NULL, NULL, "%s", error.text);
        *exit_code = error.exit_code;
        return -1;
    }
    if (file.exists) {
        int result = config_parse(config, file.path, file.bytes, file.length, errors);
        free(file.bytes);
        *exit_code = result == 0 ? 0 : EX_CONFIG;
        return result;
    }
    if (!absent_is_fine) {
        struct report report = {.name = file.path, .errors = errors};
        report_add(&report, NULL, NULL, "there is no such file");
        *exit_code = EX_CONFIG;
        return -1;
    }
    *exit_code = 0;
    return 0;
}
