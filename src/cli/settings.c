// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "build.h"
#include "cli/arguments.h"
#include "cli/lockfile.h"
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

bool settings_same_file(const char *one, const char *other)
{
    if (strcmp(one, other) == 0) {
        return true;
    }
    char *real_one = realpath(one, NULL);
    char *real_other = realpath(other, NULL);
    const bool same = real_one != NULL && real_other != NULL && strcmp(real_one, real_other) == 0;
    free(real_one);
    free(real_other);
    return same;
}

int settings_find(struct settings *out, char *path, const struct invocation *invocation,
                  struct error *error)
{
    const char *named = invocation->arguments->config;
    if (named == NULL) {
        named = environment_get(invocation->environment, SETTINGS_VARIABLE);
        if (named != NULL && named[0] == '\0') {
            named = NULL;
        }
    }
    out->given = named != NULL;
    return make_absolute(path, sizeof out->config.path,
                         named != NULL ? named : WICKET_SYSCONFDIR "/wicket/wicket.yaml", error);
}

static void tell_all(const struct config_errors *errors, const char *path)
{
    for (size_t i = 0; i < errors->count; i++) {
        log_errorx("%s", errors->lines[i]);
    }
    if (errors->more) {
        log_errorx("%s: there are more errors than these", path);
    }
}

/* The defaults, with the socket of whoever is the keeper here. */
static void do_without(struct settings *out, const char *path, const struct config_errors *errors)
{
    struct config *config = &out->config;
    config_init(config);
    snprintf(config->path, sizeof config->path, "%s", path);
    struct lockfile_content holder;
    if (lockfile_find_holder(WICKET_RUNTIME_DIR, &holder) == LOCKFILE_HELD && holder.pid != 0) {
        snprintf(config->control.socket, sizeof config->control.socket, "%s", holder.socket);
    }
    log_warnx("%s; asking the keeper at %s all the same", errors->lines[0], config->control.socket);
}

static int load(struct settings *out, const struct invocation *invocation, bool needed,
                struct error *error)
{
    char path[sizeof out->config.path];
    if (settings_find(out, path, invocation, error) < 0) {
        return -1;
    }
    struct config_errors *errors = calloc(1, sizeof *errors);
    if (errors == NULL) {
        return error_set_errno(error, EX_OSERR, "cannot read the configuration");
    }
    int exit_code = EX_CONFIG;
    int result = config_read(&out->config, path, !out->given, errors, &exit_code);
    if (result < 0 && !needed) {
        do_without(out, path, errors);
        result = 0;
    } else if (result < 0) {
        tell_all(errors, path);
        error_set(error, exit_code, "%s", "");
    }
    free(errors);
    return result;
}

int settings_load(struct settings *out, const struct invocation *invocation, struct error *error)
{
    return load(out, invocation, true, error);
}

int settings_load_for_socket(struct settings *out, const struct invocation *invocation,
                             struct error *error)
{
    return load(out, invocation, false, error);
}

void settings_deinit(struct settings *settings)
{
    config_deinit(&settings->config);
}
