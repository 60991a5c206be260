// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "cli/connection.h"
#include "cli/settings.h"
#include "wicket/control.h"

/*
 * A keeper made of one thread and a script: it accepts a connection, calls `script` for it with
 * its number, closes it, and accepts the next until the fake is stopped.
 */
struct fake;
typedef void fake_script(struct fake *fake, int client, int number);

struct fake {
    char directory[64];
    struct settings settings; /* for the client: control.socket is the fake's */
    int listener;
    int stop[2]; /* a pipe: its end is the end */
    pthread_t thread;
    fake_script *script;
    void *context; /* the script's */
    int connections;
    bool running;
};

void fake_start(struct fake *fake, fake_script *script, void *context);
void fake_stop(struct fake *fake); /* joins the thread and removes what there was */

/* For scripts. A client that is gone is not an error: the test sees what it makes of that. */
void fake_greet(int client, const char *config_path);
void fake_result(int client, int exit_code, const char *text);
/* How many watches on files this process has, of which the client is one part. */
size_t fake_watches(void);
/* The next request; its type, or 0 at the end. */
int fake_next(int client, union control_message *request);
