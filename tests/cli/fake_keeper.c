// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Started by test_start in place of wicket-keeper. What it is to do is in its configuration:
 * three lines, the mode, the socket and a file that gets a byte for every start. A good one checks
 * what it was given, listens, and leaves at CONTROL_CLOSE.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/spawn.h"
#include "wicket/control.h"

#define CLIENTS_MAX 32

static _Noreturn void fail(const char *what)
{
    dprintf(SPAWN_FD_READY, "E70 %s", what);
    _exit(70);
}

static void need(bool good, const char *what)
{
    if (!good)
        fail(what);
}

static void name_of(int fd, char name[static PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, name, PATH_MAX - 1);
    name[length > 0 ? length : 0] = '\0';
}

static void check_surroundings(int argc, char **argv)
{
    char name[PATH_MAX];
    need(argc == 4 && argv[0][0] == '/' && strcmp(argv[1], "--on-demand") == 0 &&
             strcmp(argv[2], "--config") == 0,
         "arguments");
    for (int fd = 0; fd <= 2; fd++) {
        name_of(fd, name);
        need(strcmp(name, "/dev/null") == 0, "standard descriptors");
    }
    for (int fd = SPAWN_FD_READY + 1; fd < 256; fd++)
        need(fcntl(fd, F_GETFD) < 0, "a descriptor too many");
    need(getcwd(name, sizeof name) != NULL && strcmp(name, "/") == 0, "working directory");
    need(getsid(0) != getpid() && getpgrp() == getsid(0), "session");
    need(environ[0] != NULL && strncmp(environ[0], "PATH=", 5) == 0 && environ[1] == NULL,
         "environment");
    sigset_t mask;
    need(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && !sigismember(&mask, SIGTERM), "signal mask");

    /* Ours already: another descriptor of the file does not get it. */
    name_of(SPAWN_FD_LOCK, name);
    const int other = open(name, O_RDWR | O_CLOEXEC);
    need(other >= 0 && flock(other, LOCK_EX | LOCK_NB) < 0, "lock");
    close(other);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    need(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
             listen(fd, CLIENTS_MAX) == 0,
         "listen");
    return fd;
}

static void serve(int listener, const char *config)
{
    struct pollfd fds[CLIENTS_MAX + 1] = {{.fd = listener, .events = POLLIN}};
    nfds_t count = 1;
    for (;;) {
        union control_message message;
        need(poll(fds, count, -1) > 0, "poll");
        for (nfds_t i = 1; i < count; i++) {
            if (fds[i].revents == 0)
                continue;
            if (control_receive(fds[i].fd, &message, NULL) > 0 &&
                message.header.type == CONTROL_CLOSE)
                return;
            close(fds[i].fd);
            fds[i].fd = -1;
        }
        if (fds[0].revents != 0 && count <= CLIENTS_MAX) {
            fds[count] = (struct pollfd){.fd = accept(listener, NULL, NULL), .events = POLLIN};
            control_message_init(&message, CONTROL_HELLO);
            message.hello.pid = getpid();
            snprintf(message.hello.config_path, sizeof message.hello.config_path, "%s", config);
            control_send(fds[count++].fd, &message, -1);
        }
    }
}

int main(int argc, char **argv)
{
    char mode[32];
    char socket_path[108];
    char starts[PATH_MAX];
    FILE *file = fopen(argv[argc - 1], "re");
    need(file != NULL && fscanf(file, "%31s %107s %4095s", mode, socket_path, starts) == 3,
         "configuration");
    fclose(file);
    const int count = open(starts, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    need(count >= 0 && write(count, "x", 1) == 1, "count");
    close(count);

    if (strcmp(mode, "die") == 0)
        _exit(1);
    if (strcmp(mode, "refuse") == 0) {
        dprintf(SPAWN_FD_READY, "E73 port 8402 is taken");
        _exit(73);
    }
    if (strcmp(mode, "leave") == 0) {
        dprintf(SPAWN_FD_READY, "R");
        _exit(0);
    }
    check_surroundings(argc, argv);
    const int listener = listen_at(socket_path);
    dprintf(SPAWN_FD_LOCK, "pid %d\nsocket %s\nconfig %s\n", getpid(), socket_path, argv[3]);
    dprintf(SPAWN_FD_READY, "R");
    close(SPAWN_FD_READY);
    serve(listener, argv[3]);
    char lock[PATH_MAX];
    name_of(SPAWN_FD_LOCK, lock);
    unlink(socket_path);
    unlink(lock);
    return 0;
}
