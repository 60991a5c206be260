// SPDX-License-Identifier: GPL-2.0-or-later
#include "sandbox/filter.h"

#include <errno.h>
#include <sysexits.h>

#include "build.h"

/* libseccomp returns what errno would be, negative. */
static int failed(int result, const char *step, struct error *error)
{
    errno = -result;
    return error_set_errno(error, EX_SOFTWARE, "seccomp: %s", step);
}

static int configure(scmp_filter_ctx filter, struct error *error)
{
    static const struct {
        enum scmp_filter_attr attribute;
        uint32_t value;
        const char *name;
    } attributes[] = {
        {SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS, "other architectures"},
        {SCMP_FLTATR_CTL_NNP, 0, "no_new_privs"}, /* it is set already */
        {SCMP_FLTATR_CTL_OPTIMIZE, 2, "a binary tree"},
    };

    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        int result = seccomp_attr_set(filter, attributes[i].attribute, attributes[i].value);
        if (result < 0)
            return failed(result, attributes[i].name, error);
    }
    return 0;
}

static int fill(scmp_filter_ctx filter, const struct filter_rule *rules, size_t count,
                struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        const struct filter_rule *rule = &rules[i];
        int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->call, rule->count,
                                            rule->arguments);
        if (result < 0) {
            errno = -result;
            return error_set_errno(error, EX_SOFTWARE, "seccomp: rule %zu, system call %d", i,
                                   rule->call);
        }
    }
    return 0;
}

int filter_install(const struct filter_rule *rules, size_t count, struct error *error)
{
    if (!WICKET_SANDBOX)
        return 0;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return error_set(error, EX_SOFTWARE, "seccomp: libseccomp does not start");

    int outcome = configure(filter, error) < 0 ? -1 : fill(filter, rules, count, error);
    int loaded = outcome < 0 ? 0 : seccomp_load(filter);
    seccomp_release(filter);
    return loaded < 0 ? failed(loaded, "the kernel does not take the list", error) : outcome;
}
