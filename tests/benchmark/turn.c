// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When a command takes effect for visitors: starts it here, and meanwhile asks from another network
 * namespace, again and again, until the answers have turned from one server's to the other's.
 * Prints how long both took from the start of the command, as JSON. The moment of a turn is when
 * the first visitor began who met it, so that it is told too late by PACE_NS at most.
 *
 *   turn NAMESPACE-FD CORE ADDRESS PORT PATH MARK here|gone COMMAND…
 *
 * here: the answers begin to have MARK in them; gone: they cease to.
 */
#include "wicket/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static const uint64_t second = 1000000000;
static const uint64_t patience = 10 * second;

enum {
    PACE_NS = 250000,
    FIRST_TRY_US = 500000,
    /* A visitor whom the change has caught waits for a packet to be sent again, 200 ms: the next
     * one does not wait for that. */
    TRY_US = 20000,
};

struct turn {
    int namespace;
    int core;
    struct sockaddr_in to;
    char request[512];
    const char *mark;
    bool wanted; /* whether the mark is to be there */
    atomic_int
        readiness; /* of the visitors: 1 when they have seen the state before, -1: they failed */
    uint64_t turned_at;  /* 0: never */
    uint64_t unanswered; /* visitors who were not */
    struct error error;
};

enum seen { SEEN_NOTHING, SEEN_MARK, SEEN_OTHER };

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * second + (uint64_t)now.tv_nsec;
}

static enum seen read_answer(const struct turn *turn, int fd)
{
    char answer[4096];
    size_t length = 0;
    ssize_t got;
    /* What follows the mark, the end of the connection too, may be caught by the change. */
    while (length < sizeof answer - 1 &&
           (got = recv(fd, answer + length, sizeof answer - 1 - length, 0)) > 0) {
        length += (size_t)got;
        answer[length] = '\0';
        if (strstr(answer, turn->mark) != NULL) {
            return SEEN_MARK;
        }
    }
    return length == 0 ? SEEN_NOTHING : SEEN_OTHER;
}

static enum seen visit(const struct turn *turn, suseconds_t patience_us)
{
    const struct timeval timeout = {.tv_usec = patience_us};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    enum seen seen = SEEN_NOTHING;
    if (fd < 0) {
        return seen;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    const size_t length = strlen(turn->request);
    if (connect(fd, (const struct sockaddr *)&turn->to, sizeof turn->to) == 0 &&
        send(fd, turn->request, length, MSG_NOSIGNAL) == (ssize_t)length) {
        seen = read_answer(turn, fd);
    }
    close(fd);
    return seen;
}

/* Until the next visitor is due. */
static void pace(uint64_t due)
{
    const uint64_t now = now_ns();
    if (due > now) {
        const struct timespec left = {.tv_nsec = (long)(due - now)};
        ppoll(NULL, 0, &left, NULL);
    }
}

static int enter(const struct turn *turn, struct error *error)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((size_t)turn->core, &cores);
    if (setns(turn->namespace, CLONE_NEWNET) < 0) {
        return error_set_errno(error, EX_OSERR, "setns");
    }
    if (sched_setaffinity(0, sizeof cores, &cores) < 0) {
        return error_set_errno(error, EX_OSERR, "core %d", turn->core);
    }
    const enum seen before = visit(turn, FIRST_TRY_US);
    if (before != (turn->wanted ? SEEN_OTHER : SEEN_MARK)) {
        return error_set(error, EX_PROTOCOL, "%s before the command",
                         before == SEEN_NOTHING ? "no answer" : "turned already");
    }
    return 0;
}

static void *visit_all(void *context)
{
    struct turn *const turn = context;
    const enum seen wanted = turn->wanted ? SEEN_MARK : SEEN_OTHER;
    if (enter(turn, &turn->error) < 0) {
        atomic_store(&turn->readiness, -1);
        return NULL;
    }
    atomic_store(&turn->readiness, 1);
    const uint64_t end = now_ns() + patience;
    for (uint64_t begun = now_ns(); begun < end; begun = now_ns()) {
        const enum seen seen = visit(turn, TRY_US);
        if (seen == wanted) {
            turn->turned_at = begun;
            return NULL;
        }
        turn->unanswered += seen == SEEN_NOTHING;
        pace(begun + PACE_NS);
    }
    return NULL;
}

/* Its exit status. */
static int run(char **command, struct error *error)
{
    extern char **environ;
    pid_t pid = 0;
    int status = 0;
    const int failure = posix_spawnp(&pid, command[0], NULL, NULL, command, environ);
    if (failure != 0) {
        errno = failure;
        return error_set_errno(error, EX_OSERR, "%s", command[0]);
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return error_set_errno(error, EX_OSERR, "waitpid");
        }
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return error_set(error, EX_SOFTWARE, "%s failed", command[0]);
    }
    return 0;
}

static int measure(struct turn *turn, char **command, struct error *error)
{
    pthread_t visitors;
    if (pthread_create(&visitors, NULL, visit_all, turn) != 0) {
        return error_set(error, EX_OSERR, "no thread");
    }
    while (atomic_load(&turn->readiness) == 0) {
        sched_yield();
    }
    const bool ready = atomic_load(&turn->readiness) > 0;
    const uint64_t start = now_ns();
    const int result = ready ? run(command, error) : 0;
    const uint64_t returned = now_ns();
    if (result < 0) {
        return -1; /* with the process */
    }
    pthread_join(visitors, NULL);
    if (!ready) {
        *error = turn->error;
        return -1;
    }
    if (turn->turned_at == 0) {
        return error_set(error, EX_UNAVAILABLE, "the answers did not turn in %llu s",
                         (unsigned long long)(patience / second));
    }
    const double ms = 1e6;
    printf("{\"turned_ms\": %.3f, \"returned_ms\": %.3f, \"unanswered\": %llu}\n",
           ((double)turn->turned_at - (double)start) / ms, (double)(returned - start) / ms,
           (unsigned long long)turn->unanswered);
    return 0;
}

static int read_arguments(struct turn *turn, char **argv, struct error *error)
{
    turn->namespace = (int)strtol(argv[1], NULL, 10);
    if (fcntl(turn->namespace, F_SETFD, FD_CLOEXEC) < 0) {
        return error_set_errno(error, EX_USAGE, "descriptor %s", argv[1]);
    }
    turn->core = (int)strtol(argv[2], NULL, 10);
    turn->to.sin_family = AF_INET;
    turn->to.sin_port = htons((in_port_t)strtol(argv[4], NULL, 10));
    if (inet_pton(AF_INET, argv[3], &turn->to.sin_addr) != 1) {
        return error_set(error, EX_USAGE, "%s is no address", argv[3]);
    }
    const int length =
        snprintf(turn->request, sizeof turn->request,
                 "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", argv[5], argv[3]);
    if (length < 0 || (size_t)length >= sizeof turn->request) {
        return error_set(error, EX_USAGE, "the path is too long");
    }
    turn->mark = argv[6];
    turn->wanted = strcmp(argv[7], "here") == 0;
    return 0;
}

int main(int argc, char **argv)
{
    struct turn turn = {.namespace = -1};
    struct error error = {0};
    if (argc < 9) {
        fputs("usage: turn NAMESPACE-FD CORE ADDRESS PORT PATH MARK here|gone COMMAND…\n", stderr);
        return EX_USAGE;
    }
    if (read_arguments(&turn, argv, &error) < 0 || measure(&turn, argv + 8, &error) < 0) {
        fprintf(stderr, "turn: %s\n", error.text);
        return error.exit_code;
    }
    return EX_OK;
}
