// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "build.h"
#include "responder/descriptors.h"
#include "responder/responder.h"
#include "wicket/link.h"
#include "wicket/log.h"

/* The keeper ends this program through the link. What reaches the whole group or cgroup (^C, the
 * end of a session, systemd stopping the unit) must not end it before the keeper has drained. */
static void main_ignore_signals(void)
{
    static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT, SIGTERM};
    sigset_t none;

    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        (void)signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int main_options(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("wicket-responder " WICKET_BUILD);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        puts("usage: wicket-responder [--help | --version]\n"
             "Answers ACME HTTP-01 challenges. wicket-keeper starts it, with its sockets; see "
             "wicket(1).");
        return 0;
    }
    (void)fputs("usage: wicket-responder [--help | --version]\n", stderr);
    return EX_USAGE;
}

static int main_serve(pid_t parent)
{
    struct responder responder;
    struct error error = {0};
    int result = responder_init(&responder, parent, &error);

    if (result == 0)
        result = responder_run(&responder, &error);
    if (result < 0)
        log_errorx("%s", error.text);
    responder_deinit(&responder);
    return result < 0 ? error.exit_code : 0;
}

int main(int argc, char **argv)
{
    pid_t parent = getppid();

    if (argc != 1)
        return main_options(argc, argv);
    if (!descriptors_have_link()) {
        (void)fputs("wicket-responder: wicket-keeper starts this program; to run a keeper: wicket "
                    "serve\n",
                    stderr);
        return EX_USAGE;
    }
    log_init_relayed(LINK_FD_LOG, "wicket-responder");
    main_ignore_signals();
    /* The Date header needs the zone's rules once, and there will be no file to read them from. */
    tzset();
    return main_serve(parent);
}
