// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/admission.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>

#include "keeper/keeper.h"
#include "wicket/log.h"

void keeper_admission_init(struct keeper_admission *admission)
{
    *admission = (struct keeper_admission){.changes = {.fd = -1}};
}

void keeper_admission_sweep(struct keeper *keeper)
{
    struct error error;
    size_t swept = 0;

    if (redirect_sweep(keeper->redirect, &swept, &error) < 0)
        log_warnx("rules of redirect.admit may be left in this host's firewall: %s", error.text);
    else if (swept > 0)
        log_info("removed %zu rule%s of redirect.admit that had been left in this host's firewall",
                 swept, swept == 1 ? "" : "s");
}

static void changes_ready(void *owner, uint32_t events)
{
    struct keeper *keeper = owner;

    (void)events;
    if (watch_take(&keeper->admission.watch))
        keeper->admission.changed = true;
}

static void stop_watching(struct keeper *keeper)
{
    if (keeper->admission.changes.fd >= 0)
        event_remove(keeper->epoll_fd, &keeper->admission.changes);
    watch_deinit(&keeper->admission.watch);
    keeper->admission.changes.fd = -1;
}

int keeper_admission_watch(struct keeper *keeper, struct error *error)
{
    struct keeper_admission *admission = &keeper->admission;

    if (keeper->config->redirect.admit_count == 0) {
        stop_watching(keeper);
        return 0;
    }
    if (admission->changes.fd >= 0)
        return 0;
    if (watch_init(&admission->watch, redirect_port(keeper->redirect), error) < 0)
        return -1;
    admission->changes = (struct event_source){watch_fd(&admission->watch), changes_ready, keeper};
    if (event_add(keeper->epoll_fd, &admission->changes, EPOLLIN))
        return 0;
    error_set_errno(error, EX_OSERR, "cannot watch this host's firewall");
    admission->changes.fd = -1;
    stop_watching(keeper);
    return -1;
}

void keeper_admission_deinit(struct keeper *keeper)
{
    stop_watching(keeper);
}

void keeper_admission_note(struct keeper *keeper)
{
    const char *overruled = redirect_overruled(keeper->redirect);
    char *told = keeper->admission.overruled;

    keeper->admission.admitted |= keeper->config->redirect.admit_count > 0;
    if (strcmp(told, overruled) == 0)
        return;
    snprintf(told, sizeof(keeper->admission.overruled), "%s", overruled);
    if (told[0] != '\0')
        log_warnx("redirect.admit overrules a ban while a window is open: %s stands behind what "
                  "would drop the redirected, so that whoever it bans reaches the responder; move "
                  "the ban to the head of the chain of redirect.admit, or use redirect.method: "
                  "tproxy",
                  told);
}

void keeper_admission_tick(struct keeper *keeper, uint64_t now_ms)
{
    struct error error;
    bool put_back;

    if (!keeper->admission.changed)
        return;
    keeper->admission.changed = false;
    if (!keeper->in_force)
        return;
    if (redirect_admit(keeper->redirect, &put_back, &error) < 0) {
        keeper_trouble(keeper, "%s", error.text);
        keeper_refuse_lease(keeper, &error);
        window_lease_refused(&keeper->window, now_ms, WINDOW_HOLD_KERNEL);
        return;
    }
    if (put_back)
        log_info("this host's firewall was changed: what is redirected is let in again");
    keeper_admission_note(keeper);
}
