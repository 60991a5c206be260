// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void need(bool good, const char *what)
{
    if (!good) {
        perror(what);
        abort();
    }
}

static void *serve(void *argument)
{
    struct fake *fake = argument;
    for (;;) {
        struct pollfd fds[] = {{.fd = fake->listener, .events = POLLIN},
                               {.fd = fake->stop[0], .events = POLLIN}};
        int ready;
        do {
            ready = poll(fds, 2, -1);
        } while (ready < 0 && errno == EINTR); /* a fuzzer's clock ticks by a signal */
        need(ready > 0, "poll");
        if (fds[1].revents != 0) {
            return NULL;
        }
        const int client = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);
        need(client >= 0, "accept");
        fake->script(fake, client, fake->connections++);
        close(client);
    }
}

void fake_start(struct fake *fake, fake_script *script, void *context)
{
    *fake = (struct fake){.script = script, .context = context, .running = true};
    strcpy(fake->directory, "/tmp/wicket-fake-XXXXXX");
    need(mkdtemp(fake->directory) != NULL, "mkdtemp");
    config_init(&fake->settings.config);
    snprintf(fake->settings.config.path, sizeof fake->settings.config.path, "%s/wicket.yaml",
             fake->directory);
    snprintf(fake->settings.config.control.socket, sizeof fake->settings.config.control.socket,
             "%s/control.sock", fake->directory);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, fake->settings.config.control.socket);
    fake->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    need(fake->listener >= 0, "socket");
    need(bind(fake->listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    need(listen(fake->listener, 16) == 0, "listen");
    need(pipe(fake->stop) == 0, "pipe");
    need(pthread_create(&fake->thread, NULL, serve, fake) == 0, "pthread_create");
}

void fake_stop(struct fake *fake)
{
    if (!fake->running) {
        return;
    }
    close(fake->stop[1]);
    pthread_join(fake->thread, NULL);
    close(fake->stop[0]);
    close(fake->listener);
    unlink(fake->settings.config.control.socket);
    rmdir(fake->directory);
    config_deinit(&fake->settings.config);
    fake->running = false;
}

void fake_greet(int client, const char *config_path)
{
    union control_message message;
    control_message_init(&message, CONTROL_HELLO);
    message.hello.pid = 4711;
    snprintf(message.hello.config_path, sizeof message.hello.config_path, "%s", config_path);
    control_send(client, &message, -1);
}

void fake_result(int client, int exit_code, const char *text)
{
    union control_message message;
    control_message_init(&message, CONTROL_RESULT);
    message.result.exit_code = exit_code;
    snprintf(message.result.text, sizeof message.result.text, "%s", text);
    control_send(client, &message, -1);
}

size_t fake_watches(void)
{
    DIR *descriptors = opendir("/proc/self/fd");
    need(descriptors != NULL, "/proc/self/fd");
    size_t count = 0;
    for (const struct dirent *one; (one = readdir(descriptors)) != NULL;) {
        char target[64] = "";
        if (readlinkat(dirfd(descriptors), one->d_name, target, sizeof target - 1) > 0 &&
            strcmp(target, "anon_inode:inotify") == 0) {
            count++;
        }
    }
    closedir(descriptors);
    return count;
}

int fake_next(int client, union control_message *request)
{
    const ssize_t length = control_receive(client, request, NULL);
    if (length <= 0) {
        return 0;
    }
    struct error error;
    if (control_message_check(request, (size_t)length, &error) < 0) {
        fprintf(stderr, "the client sent a bad message: %s\n", error.text);
        abort();
    }
    return request->header.type;
}
