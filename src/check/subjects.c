// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <sysexits.h>

#include "check/check.h"
#include "check/judge.h"
#include "check/legacy.h"
#include "redirect/ruleset.h"
#include "wicket/sources.h"

/* Whether the file of sources can be read, and leaves somebody to be redirected. */
static bool check_sources(struct check *check)
{
    struct config *config = &check->settings.config;
    struct error error;

    if (sources_read(config, &error) < 0) {
        findings_add(&check->report, LEVEL_FINDING, "configuration", NULL, NULL, "%s", error.text);
        return false;
    }
    if (config_redirects_nobody(config))
        findings_add(&check->report, LEVEL_FINDING, "configuration", NULL,
                     "name those who are to be redirected in it",
                     "%s: it has no source, so that nobody is redirected",
                     config->redirect.sources_file);
    return true;
}

bool check_config(struct check *check, const char *path)
{
    struct config_errors *errors = calloc(1, sizeof(*errors));
    int exit_code = EX_CONFIG;

    if (!errors) {
        check->report.out_of_memory = true;
        return false;
    }
    bool good =
        config_read(&check->settings.config, path, !check->settings.given, errors, &exit_code) == 0;
    for (size_t i = 0; !good && i < errors->count; i++)
        findings_add(&check->report, LEVEL_FINDING, "configuration", NULL, NULL, "%s",
                     errors->lines[i]);
    if (!good && errors->more)
        findings_add(&check->report, LEVEL_FINDING, "configuration", NULL, NULL,
                     "%s: there are more errors than these", path);
    if (good)
        findings_add(&check->report, LEVEL_GOOD, "configuration", NULL, NULL, "%s%s", path,
                     check->settings.config.file_exists ? "" : " is absent: the defaults");
    free(errors);
    return good && check_sources(check);
}

int check_redirect_priority(const struct config *config, int32_t *out, struct error *error)
{
    bool nat = config->redirect.method == CONFIG_METHOD_REDIRECT;
    struct ruleset ruleset;

    if (ruleset_init(&ruleset, config, error) < 0)
        return -1;
    for (size_t i = ruleset.chain_count; i-- > 0;)
        if (ruleset.chains[i].hook == RULESET_HOOK_PREROUTING && ruleset.chains[i].nat == nat)
            *out = ruleset.chains[i].priority;
    ruleset_deinit(&ruleset);
    return 0;
}

void check_firewall(struct check *check)
{
    struct firewall firewall;
    struct error error;
    struct journey journey = {
        .firewall = &firewall, .network = &check->network, .config = &check->settings.config};

    if (check_redirect_priority(&check->settings.config, &journey.redirect_priority, &error) < 0) {
        findings_add(&check->report, LEVEL_FINDING, "configuration", NULL, NULL, "%s", error.text);
        return;
    }
    judge_network(&check->report, &journey);
    if (firewall_read(&firewall, &error) < 0) {
        findings_add(&check->report, LEVEL_NOTE, "firewall", NULL, NULL,
                     "not looked at, which takes root: %s", error.text);
        return;
    }
    if (legacy_read(&firewall, &error) < 0)
        findings_add(&check->report, LEVEL_NOTE, "firewall", NULL, NULL,
                     "%s: they may drop what a window redirects", error.text);
    judge_firewall(&check->report, &journey);
    firewall_deinit(&firewall);
}
