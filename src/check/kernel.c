// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "check/check.h"
#include "redirect/redirect.h"

#define SUBJECT  "kernel"
#define TRIAL_MS 3000

/* What comes back from the child, over a pipe, in one piece. */
struct outcome {
    enum findings_level level;
    bool owned;
    char text[512];
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t make_address(union address *out, int family, uint16_t port, bool loopback)
{
    memset(out, 0, sizeof(*out));
    out->any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        out->v4.sin_port = htons(port);
        out->v4.sin_addr.s_addr = htonl(loopback ? INADDR_LOOPBACK : INADDR_ANY);
        return sizeof(out->v4);
    }
    out->v6.sin6_port = htons(port);
    out->v6.sin6_addr = loopback ? in6addr_loopback : in6addr_any;
    return sizeof(out->v6);
}

static int raise_loopback(struct error *error)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);

    if (result < 0)
        error_set_errno(error, EX_OSERR, "the loopback of a network namespace cannot be raised");
    if (fd >= 0)
        close(fd);
    return result;
}

/* For connections to addresses and ports that are not its own. */
static int make_transparent(int fd, int family)
{
    int on = 1;

    return family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on))
                             : setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on));
}

/* Where the responder would listen; -1 with errno. */
static int listen_at(int family, const struct config *config)
{
    union address address;
    socklen_t length = make_address(&address, family, config->responder.port, false);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    int on = 1;

    if (fd < 0)
        return -1;
    if ((family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
        (config->redirect.method == CONFIG_METHOD_TPROXY && make_transparent(fd, family) != 0) ||
        bind(fd, &address.any, length) != 0 || listen(fd, 1) != 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static bool arrives(int listener)
{
    struct pollfd item = {.fd = listener, .events = POLLIN};
    int ready;

    do
        ready = poll(&item, 1, TRIAL_MS);
    while (ready < 0 && errno == EINTR);
    return ready == 1;
}

/* A connection to the redirected port, as the self-check makes it. */
static int connect_through(struct redirect *redirect, const struct config *config, int family,
                           int listener, struct error *error)
{
    union address source, target;
    socklen_t length = make_address(&source, family, 0, true);
    int result = -1;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

    make_address(&target, family, config->redirect.port, true);
    if (fd < 0 || bind(fd, &source.any, length) != 0 ||
        getsockname(fd, &source.any, &length) != 0) {
        error_set_errno(error, EX_OSERR, "no socket for a trial");
    } else if (redirect_probe(redirect,
                              ntohs(family == AF_INET ? source.v4.sin_port : source.v6.sin6_port),
                              TRIAL_MS, error) == 0) {
        if (connect(fd, &target.any, length) != 0 && errno != EINPROGRESS)
            error_set_errno(error, EX_OSERR, "a connection for a trial");
        else if (!arrives(listener))
            error_set(error, EX_UNAVAILABLE,
                      "the kernel takes the rules, but does not redirect over %s",
                      family == AF_INET ? "IPv4" : "IPv6");
        else
            result = 0;
    }
    if (fd >= 0)
        close(fd);
    return result;
}

static int try_family(struct redirect *redirect, const struct config *config, int family,
                      struct error *error)
{
    int listener = listen_at(family, config);

    if (listener < 0) /* a kernel without IPv6, or with it switched off */
        return family == AF_INET6 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)
                   ? 0
                   : error_set_errno(error, EX_OSERR, "a listener for a trial");
    int result = connect_through(redirect, config, family, listener, error);
    close(listener);
    return result;
}

static bool has_loopback6(void)
{
    FILE *file = fopen("/proc/self/net/if_inet6", "re");
    bool any = file && fgetc(file) != EOF;

    if (file)
        fclose(file);
    return any;
}

static int try_relay(struct redirect *redirect, const struct config *config, struct error *error)
{
    const struct redirect_relay relay = {
        .family = AF_INET, .port = 50000, .source = {127, 0, 0, 1}, .visitor = {192, 0, 2, 1}};

    if (config->other_requests != CONFIG_OTHER_PASS)
        return 0;
    return redirect_relay(redirect, &relay, 1, NULL, 0, error);
}

static int try_all(const struct config *config, bool *owned, struct error *error)
{
    struct redirect *redirect = NULL;
    int result = raise_loopback(error);

    if (result == 0)
        result = redirect_create(&redirect, config, false, error);
    if (result == 0 && (redirect_install(redirect, error) < 0 || redirect_arm(redirect, error) < 0))
        result = -1;
    if (result == 0) {
        *owned = redirect_is_owned(redirect);
        result = try_family(redirect, config, AF_INET, error);
    }
    if (result == 0 && has_loopback6())
        result = try_family(redirect, config, AF_INET6, error);
    if (result == 0)
        result = try_relay(redirect, config, error);
    redirect_destroy(redirect);
    return result;
}

static void run(const struct config *config, struct outcome *outcome)
{
    /* There are no chains of the host's own to admit in. */
    struct config copy = *config;
    struct error error = {0};

    copy.redirect.admit_count = 0;
    if (unshare(CLONE_NEWNET) != 0) {
        outcome->level = LEVEL_NOTE;
        snprintf(outcome->text, sizeof(outcome->text),
                 "what it can do was not tried, since no network namespace can be made here: %s",
                 strerror(errno));
    } else if (try_all(&copy, &outcome->owned, &error) < 0) {
        outcome->level = LEVEL_FINDING;
        snprintf(outcome->text, sizeof(outcome->text), "%.500s", error.text);
    }
}

/* A process of its own: a namespace cannot be left again by whoever has no right to the old one. */
static bool run_in_child(const struct config *config, struct outcome *outcome)
{
    int ends[2], status;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        run(config, outcome);
        _exit(write(ends[1], outcome, sizeof(*outcome)) == (ssize_t)sizeof(*outcome) ? 0 : 1);
    }
    close(ends[1]);
    bool good = child > 0 && read(ends[0], outcome, sizeof(*outcome)) == (ssize_t)sizeof(*outcome);
    close(ends[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return good;
}

void check_kernel(struct check *check)
{
    struct outcome outcome = {.level = LEVEL_GOOD,
                              .text = "takes the table, and redirects, in a namespace of its own"};

    if (!run_in_child(&check->settings.config, &outcome))
        findings_add(&check->report, LEVEL_NOTE, SUBJECT, NULL, NULL,
                     "what it can do could not be tried: no process for it");
    else
        findings_add(&check->report, outcome.level, SUBJECT, NULL,
                     outcome.level == LEVEL_FINDING ? "load the modules it names, or another kernel"
                                                    : NULL,
                     "%s", outcome.text);
    if (outcome.level == LEVEL_GOOD && !outcome.owned)
        findings_add(
            &check->report, LEVEL_NOTE, SUBJECT, NULL, NULL,
            "has no owned tables (Linux 5.12): should the keeper be killed, the lease alone "
            "ends a window");
}
