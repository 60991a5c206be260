// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/service.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "wicket/log.h"
#include "wicket/quote.h"

enum { FIRST_FD = 3 }; /* SD_LISTEN_FDS_START */

void service_init(struct service *service)
{
    *service = (struct service){.notify_fd = -1, .socket_fd = -1, .watchdog_due_ms = UINT64_MAX};
}

/* False when it is no number that fits. */
static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;

    if (text == NULL || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    uint64_t number = strtoumax(text, &end, 10);
    if (errno != 0 || *end != '\0' || number > max)
        return false;
    *out = number;
    return true;
}

static bool is_for_us(const char *pid_variable)
{
    uint64_t pid;

    return parse_number(getenv(pid_variable), INT32_MAX, &pid) && pid == (uint64_t)getpid();
}

/* A path, or a name in the abstract namespace that is written with an @. */
static int connect_notify(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || length >= sizeof(address.sun_path)) {
        log_warnx("NOTIFY_SOCKET is %s, which is no socket's name", QUOTE(name, length));
        return -1;
    }
    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0';

    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address,
                           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == 0)
        return fd;
    log_warn("cannot reach the service manager at %s", QUOTE(name, length));
    if (fd >= 0)
        close(fd);
    return -1;
}

static int take_socket(struct service *service, struct error *error)
{
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t count = 0;

    if (!is_for_us("LISTEN_PID"))
        return 0;
    if (!parse_number(getenv("LISTEN_FDS"), INT16_MAX, &count))
        return error_set(error, EX_CONFIG,
                         "the service manager passed sockets, but LISTEN_FDS is no number");
    for (int fd = FIRST_FD; fd < FIRST_FD + (int)count; fd++) {
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
            fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
            return error_set_errno(error, EX_CONFIG, "descriptor %d, passed by the service manager",
                                   fd);
    }
    if (count > 1)
        return error_set(error, EX_CONFIG,
                         "the service manager passed %u sockets (%s), and the keeper listens at "
                         "one: leave a single ListenSequentialPacket= in the socket unit",
                         (unsigned int)count,
                         names == NULL ? "unnamed" : QUOTE(names, strlen(names)));
    if (count == 1)
        service->socket_fd = FIRST_FD;
    return 0;
}

int service_take_environment(struct service *service, uint64_t now_ms, struct error *error)
{
    static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                            "LISTEN_PID",    "LISTEN_FDS",    "LISTEN_FDNAMES"};
    const char *notify = getenv("NOTIFY_SOCKET");
    uint64_t interval_us = 0;

    if (notify != NULL)
        service->notify_fd = connect_notify(notify);
    if (service->notify_fd >= 0 && (getenv("WATCHDOG_PID") == NULL || is_for_us("WATCHDOG_PID")) &&
        parse_number(getenv("WATCHDOG_USEC"), UINT64_MAX - 1, &interval_us) && interval_us > 0) {
        service->watchdog_ms = interval_us / 2000 > 0 ? interval_us / 2000 : 1;
        service->watchdog_due_ms = now_ms;
    }
    int outcome = take_socket(service, error);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        unsetenv(variables[i]);
    return outcome;
}

void service_deinit(struct service *service)
{
    if (service->notify_fd >= 0)
        close(service->notify_fd);
    if (service->socket_fd >= 0)
        close(service->socket_fd);
    service_init(service);
}

static int option(int fd, int name)
{
    int value = -1;
    socklen_t length = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : -1;
}

int service_check_socket(const struct service *service, const char *path, struct error *error)
{
    struct sockaddr_un address = {0};
    socklen_t length = sizeof(address);
    int fd = service->socket_fd;

    if (option(fd, SO_DOMAIN) != AF_UNIX || option(fd, SO_TYPE) != SOCK_SEQPACKET ||
        option(fd, SO_ACCEPTCONN) != 1)
        return error_set(error, EX_CONFIG,
                         "the socket passed by the service manager is no listening AF_UNIX "
                         "SOCK_SEQPACKET socket: the socket unit needs ListenSequentialPacket=%s "
                         "and Accept=no",
                         path);
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return error_set_errno(error, EX_CONFIG, "the socket passed by the service manager");
    size_t named = strnlen(address.sun_path, sizeof(address.sun_path));
    if (named != strlen(path) || memcmp(address.sun_path, path, named) != 0)
        return error_set(error, EX_CONFIG,
                         "the service manager listens at %s, but control.socket is %s: change "
                         "ListenSequentialPacket= in the socket unit, or control.socket",
                         QUOTE(address.sun_path, named), path);
    return 0;
}

/* A service manager that does not listen any more is not worth an error. */
static void notify(const struct service *service, const char *text)
{
    if (service->notify_fd >= 0 &&
        send(service->notify_fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        log_debug("the service manager does not take \"%s\"", text);
}

void service_ready(struct service *service)
{
    notify(service, "READY=1");
}

void service_reloading(struct service *service)
{
    struct timespec now;
    char text[64];

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld%06ld", (long long)now.tv_sec,
             now.tv_nsec / 1000);
    notify(service, text);
}

void service_stopping(struct service *service)
{
    notify(service, "STOPPING=1");
}

void service_status(struct service *service, const char *format, ...)
{
    char text[sizeof(service->status)];
    char line[sizeof(text) + sizeof("STATUS=")];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (strcmp(text, service->status) == 0)
        return;
    memcpy(service->status, text, sizeof(text));
    snprintf(line, sizeof(line), "STATUS=%s", text);
    notify(service, line);
}

void service_tick(struct service *service, uint64_t now_ms)
{
    if (now_ms < service->watchdog_due_ms)
        return;
    service->watchdog_due_ms = now_ms + service->watchdog_ms;
    notify(service, "WATCHDOG=1");
}

uint64_t service_next_ms(const struct service *service)
{
    return service->watchdog_due_ms;
}
