// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/status_watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/deadline.h"
#include "cli/status_document.h"
#include "cli/status_text.h"

#define LOOK_MS 1000

#define SCREEN_CLEAR "\x1b[2J"
#define SCREEN_HOME  "\x1b[H"
#define LINE_REST    "\x1b[K" /* clears it */
#define SCREEN_REST  "\x1b[J" /* clears what is below, this line included */

struct status_watch {
    int signal_fd;
    bool terminal;
    char *shown; /* the last line written, where there is no terminal; or NULL */
};

/* Lines that do not fit would move the screen, so they are cut; the text is ASCII. */
static void draw(const char *text)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    const int columns = size.ws_col > 0 ? size.ws_col : 80;
    int rows = size.ws_row > 1 ? size.ws_row - 1 : 23;
    fputs(SCREEN_HOME, stdout);
    for (; *text != '\0' && rows > 0; rows--) {
        const char *end = strchrnul(text, '\n');
        const int length = (int)(end - text);
        printf("%.*s" LINE_REST "\r\n", length < columns ? length : columns, text);
        text = *end == '\0' ? end : end + 1;
    }
    fputs(SCREEN_REST, stdout);
}

/* Takes over `text`. */
static void show(struct status_watch *watch, char *text)
{
    if (watch->terminal) {
        draw(text);
        free(text);
    } else if (watch->shown == NULL || strcmp(watch->shown, text) != 0) {
        fputs(text, stdout);
        free(watch->shown);
        watch->shown = text;
    } else {
        free(text);
    }
    fflush(stdout);
}

/* A keeper that starts or leaves at this moment is something to show, not a reason to stop. */
static int show_passing(struct status_watch *watch, struct error *error)
{
    char *text = NULL;
    if (error->exit_code != EX_TEMPFAIL) {
        return -1;
    }
    if (asprintf(&text, "%s\n", error->text) < 0) {
        return error_set(error, EX_OSERR, "status --watch: out of memory");
    }
    show(watch, text);
    return 0;
}

static int look(struct status_watch *watch, struct settings *settings, struct error *error)
{
    char *json;
    size_t json_length;
    if (status_document(&json, &json_length, settings, error) < 0) {
        return show_passing(watch, error);
    }
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    int result = -1;
    if (stream == NULL) {
        error_set_errno(error, EX_OSERR, "status --watch");
    } else {
        result = watch->terminal ? status_text_write(stream, json, json_length, error)
                                 : status_text_summary(stream, json, json_length, error);
        if (fclose(stream) != 0 && result == 0) {
            result = error_set_errno(error, EX_OSERR, "status --watch");
        }
    }
    free(json);
    if (result < 0) {
        free(text);
        return -1;
    }
    show(watch, text);
    return 0;
}

/* Whether to stop; false after LOOK_MS. A reader that is gone is an error of the descriptor. */
static bool told_to_stop(const struct status_watch *watch)
{
    const uint64_t deadline_ms = deadline_in(LOOK_MS);
    struct pollfd fds[] = {{.fd = watch->signal_fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
    int ready;
    do {
        ready = poll(fds, sizeof fds / sizeof fds[0], deadline_left(deadline_ms));
    } while (ready < 0 && errno == EINTR);
    return ready != 0;
}

static int watch_until_told(struct status_watch *watch, struct settings *settings,
                            struct error *error)
{
    watch->terminal = isatty(STDOUT_FILENO) != 0;
    if (watch->terminal) {
        fputs(SCREEN_CLEAR, stdout);
    }
    int result;
    do {
        result = look(watch, settings, error);
    } while (result == 0 && !ferror(stdout) && !told_to_stop(watch));
    if (ferror(stdout) && errno == EPIPE) {
        __fpurge(stdout); /* who read it has seen enough */
        clearerr(stdout);
    }
    free(watch->shown);
    return result;
}

int status_watch(struct settings *settings, struct error *error)
{
    sigset_t mask, before;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGHUP);
    sigaddset(&mask, SIGPIPE);
    sigprocmask(SIG_BLOCK, &mask, &before);
    struct status_watch watch = {.signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK)};
    int result = -1;
    if (watch.signal_fd < 0) {
        error_set_errno(error, EX_OSERR, "status --watch");
    } else {
        result = watch_until_told(&watch, settings, error);
        /* Taken, so that nothing is pending when they are let through again. */
        struct signalfd_siginfo info;
        while (read(watch.signal_fd, &info, sizeof info) > 0) {
        }
        close(watch.signal_fd);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}
