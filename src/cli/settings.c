// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "build.h"
#include "cli/arguments.h"
#include "wicket/log.h"

const char *environment_get(char *const *environment, const char *name)
{
    const size_t length = strlen(name);
    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=') {
            return *environment + length + 1;
        }
    }
    return NULL;
}

static int make_absolute(char *out, size_t capacity, const char *path, struct error *error)
{
    char directory[4096] = "";
    if (path[0] != '/' && getcwd(directory, sizeof directory) == NULL) {
        return error_set_errno(error, EX_CONFIG, "%s: cannot tell the current directory", path);
    }
    const char *slash = path[0] == '/' || strcmp(directory, "/") == 0 ? "" : "/";
    const char *before = strcmp(directory, "/") == 0 ? "/" : directory;
    const int length = snprintf(out, capacity, "%s%s%s", before, slash, path);
    if (length < 0 || (size_t)length >= capacity) {
        return error_set(error, EX_CONFIG, "the path of the configuration is too long");
    }
    return 0;
}

int settings_load(struct settings *out, const struct invocation *invocation, struct error *error)
{
    const char *named = invocation->arguments->config;
    if (named == NULL) {
        named = environment_get(invocation->environment, SETTINGS_VARIABLE);
        if (named != NULL && named[0] == '\0') {
            named = NULL;
        }
    }
    out->given = named != NULL;

    char path[sizeof out->config.path];
    if (make_absolute(path, sizeof path,
                      named != NULL ? named : WICKET_SYSCONFDIR "/wicket/wicket.yaml", error) < 0) {
        return -1;
    }
    struct config_errors *errors = calloc(1, sizeof *errors);
    if (errors == NULL) {
        return error_set_errno(error, EX_OSERR, "cannot read the configuration");
    }
    int exit_code = EX_CONFIG;
    const int result = config_read(&out->config, path, !out->given, errors, &exit_code);
    if (result < 0) {
        for (size_t i = 0; i < errors->count; i++) {
            log_errorx("%s", errors->lines[i]);
        }
        if (errors->more) {
            log_errorx("%s: there are more errors than these", path);
        }
        error_set(error, exit_code, "%s", "");
    }
    free(errors);
    return result;
}

void settings_deinit(struct settings *settings)
{
    config_deinit(&settings->config);
}
