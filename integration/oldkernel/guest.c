// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Production and visitors of an emulated machine, where nothing larger has a place.
 *
 *     guest production                         serves port 80 over both families
 *     guest visit FROM PORT TO PATH            one visitor, from this address and port (0: any)
 *     guest signal NUMBER PID FROM TO PATH     then visitors until production answers
 *     guest ends PID                           when the process has ended
 *
 * Production answers with the address and port that it sees. A visit prints its own, then the
 * answer. After a signal the milliseconds are printed, and how many visits production did not
 * answer.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 20000,
    TRY_MS = 1000, /* one of many visits: the emulation is slow, and has one processor */
    PACE_MS = 5,
    TEXT_MAX = 4096,
};

static const char word[] = "production of the lab";

static int fail(const char *what)
{
    perror(what);
    return EX_OSERR;
}

static bool parse(struct sockaddr_storage *out, socklen_t *length, const char *address,
                  const char *port)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *list;

    if (getaddrinfo(address, port, &hints, &list) != 0)
        return false;
    memcpy(out, list->ai_addr, list->ai_addrlen);
    *length = list->ai_addrlen;
    freeaddrinfo(list);
    return true;
}

/* "10.0.0.1 40000" of one end of a connection. */
static bool describe(char *out, size_t capacity, int fd,
                     int ask(int fd, struct sockaddr *out, socklen_t *length))
{
    struct sockaddr_storage end;
    socklen_t length = sizeof(end);
    char address[INET6_ADDRSTRLEN], port[8];

    if (ask(fd, (struct sockaddr *)&end, &length) != 0 ||
        getnameinfo((const struct sockaddr *)&end, length, address, sizeof(address), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return false;
    snprintf(out, capacity, "%s %s", address, port);
    return true;
}

/* --- production --- */

static int listen_on(const char *any)
{
    struct sockaddr_storage own;
    socklen_t length;
    int on = 1;

    if (!parse(&own, &length, any, "80"))
        return -1;
    int fd = socket(own.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (own.ss_family == AF_INET ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
        bind(fd, (const struct sockaddr *)&own, length) == 0 && listen(fd, 64) == 0)
        return fd;
    return -1;
}

/* A request has come when its empty line has. */
static void serve(int listener)
{
    char request[TEXT_MAX + 1] = "", peer[64] = "";
    size_t length = 0;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    while (length < TEXT_MAX && strstr(request, "\r\n\r\n") == NULL) {
        ssize_t got = recv(fd, request + length, TEXT_MAX - length, 0);
        if (got <= 0)
            break;
        length += (size_t)got;
        request[length] = '\0';
    }
    if (describe(peer, sizeof(peer), fd, getpeername))
        dprintf(fd, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n%s, sees %s\n", word, peer);
    close(fd);
}

static int production(void)
{
    struct pollfd listeners[] = {{.fd = listen_on("0.0.0.0"), .events = POLLIN},
                                 {.fd = listen_on("::"), .events = POLLIN}};

    if (listeners[0].fd < 0 || listeners[1].fd < 0)
        return fail("port 80");
    signal(SIGPIPE, SIG_IGN);
    while (poll(listeners, 2, -1) > 0)
        for (size_t i = 0; i < 2; i++)
            if ((listeners[i].revents & POLLIN) != 0)
                serve(listeners[i].fd);
    return fail("poll");
}

/* --- visitors --- */

struct visit {
    const char *from, *port, *to, *path;
    int patience_ms;
    char own[64];
    char answer[TEXT_MAX + 1];
};

static bool connect_from(struct visit *visit, int *fd)
{
    struct sockaddr_storage from, to;
    socklen_t from_length, to_length;
    struct timeval patience = {.tv_sec = visit->patience_ms / 1000};
    int on = 1;

    if (!parse(&from, &from_length, visit->from, visit->port) ||
        !parse(&to, &to_length, visit->to, "80"))
        return false;
    *fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return *fd >= 0 && setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
           setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
           setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0 &&
           bind(*fd, (const struct sockaddr *)&from, from_length) == 0 &&
           connect(*fd, (const struct sockaddr *)&to, to_length) == 0 &&
           describe(visit->own, sizeof(visit->own), *fd, getsockname);
}

/* Whether there was an answer, to its end. */
static bool go(struct visit *visit)
{
    size_t length = 0;
    ssize_t got = -1;
    int fd = -1;

    visit->answer[0] = '\0';
    if (connect_from(visit, &fd) &&
        dprintf(fd, "GET %s HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n", visit->path) > 0)
        while ((got = recv(fd, visit->answer + length, TEXT_MAX - length, 0)) > 0) {
            length += (size_t)got;
            visit->answer[length] = '\0';
        }
    if (got < 0)
        perror(visit->to);
    if (fd >= 0)
        close(fd);
    return got == 0 && length > 0;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int signal_and_visit(int number, pid_t pid, struct visit *visit)
{
    unsigned int others = 0;

    if (kill(pid, number) != 0)
        return fail("kill");
    uint64_t since_ms = now_ms();
    while (!go(visit) || strstr(visit->answer, word) == NULL) {
        if (now_ms() - since_ms > PATIENCE_MS)
            return EX_TEMPFAIL;
        others++;
        poll(NULL, 0, PACE_MS);
    }
    printf("production after %llu ms, others %u\n", (unsigned long long)(now_ms() - since_ms),
           others);
    return 0;
}

static int ends(pid_t pid)
{
    struct pollfd item = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};

    if (item.fd < 0)
        return fail("pidfd_open");
    return poll(&item, 1, PATIENCE_MS) == 1 ? 0 : EX_TEMPFAIL;
}

static int number_of(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

int main(int argc, char **argv)
{
    static struct visit visit;
    const char *what = argc > 1 ? argv[1] : "";

    if (argc == 2 && strcmp(what, "production") == 0)
        return production();
    if (argc == 6 && strcmp(what, "visit") == 0) {
        visit = (struct visit){argv[2], argv[3], argv[4], argv[5], PATIENCE_MS, "", ""};
        if (!go(&visit))
            return EX_UNAVAILABLE;
        printf("visitor %s\n%s", visit.own, visit.answer);
        return 0;
    }
    if (argc == 7 && strcmp(what, "signal") == 0) {
        visit = (struct visit){argv[4], "0", argv[5], argv[6], TRY_MS, "", ""};
        return signal_and_visit(number_of(argv[2]), number_of(argv[3]), &visit);
    }
    if (argc == 3 && strcmp(what, "ends") == 0)
        return ends(number_of(argv[2]));
    return EX_USAGE;
}
