// SPDX-License-Identifier: GPL-2.0-or-later
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "build.h"
#include "wicket/log.h"

/* Three system calls, and what they take. */
enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

struct ruleset {
    uint64_t files, tcp, scoped;
};

struct path_beneath {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

/* The number of bits that each version has. */
enum { VERSION_TCP = 4, VERSION_SCOPED = 6 };

static unsigned int file_bits(int version)
{
    static const unsigned int bits[] = {0, 13, 14, 15, 15, 16};
    const int last = sizeof(bits) / sizeof(bits[0]) - 1;

    return bits[version < last ? version : last];
}

int landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    if (version >= 0)
        return (int)version;
    return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? 0 : -1;
}

/* No kernel says EPERM by itself. */
static void note_missing(void)
{
    if (errno == EPERM)
        log_warnx("going on without Landlock, which whatever started this forbids (a container's "
                  "or unit's list of system calls)");
    else
        log_debug("going on without Landlock, which this kernel does not have");
}

static int add_exception(int ruleset, const struct landlock_exception *exception, uint64_t known,
                         struct error *error)
{
    struct path_beneath rule = {.allowed = exception->files & known};

    if (rule.allowed == 0)
        return 0;
    rule.parent_fd = open(exception->path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return errno == ENOENT || errno == EACCES
                   ? 0
                   : error_set_errno(error, EX_SOFTWARE, "Landlock: %s", exception->path);
    bool added = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
    int reason = errno;
    close(rule.parent_fd);
    errno = reason;
    return added ? 0 : error_set_errno(error, EX_SOFTWARE, "Landlock: %s", exception->path);
}

static int enforce(int ruleset, const struct landlock_exception *exceptions, size_t count,
                   uint64_t known, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (add_exception(ruleset, &exceptions[i], known, error) < 0)
            return -1;
    return syscall(SYS_landlock_restrict_self, ruleset, 0) == 0
               ? 0
               : error_set_errno(error, EX_SOFTWARE, "Landlock: the kernel does not take it");
}

int landlock_restrict(const struct landlock_fences *fences,
                      const struct landlock_exception *exceptions, size_t count,
                      struct error *error)
{
    if (!WICKET_SANDBOX)
        return 0;
    int version = landlock_version();
    if (version < 0)
        return error_set_errno(error, EX_SOFTWARE, "Landlock: its version");
    if (version == 0) {
        note_missing();
        return 0;
    }

    const struct ruleset known = {
        .files = fences->files & ((UINT64_C(1) << file_bits(version)) - 1),
        .tcp = version >= VERSION_TCP ? fences->tcp : 0,
        .scoped = version >= VERSION_SCOPED ? fences->scoped : 0,
    };
    /* Older kernels take the longer structure as long as what they do not know is zero. */
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &known, sizeof(known), 0);
    if (ruleset < 0)
        return error_set_errno(error, EX_SOFTWARE, "Landlock: a set of rules");
    int outcome = enforce(ruleset, exceptions, count, known.files, error);
    close(ruleset);
    return outcome;
}
