// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX (LINK_FD_LISTEN + 2)

uint64_t harness_now_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int listen_on(const struct sockaddr *address, socklen_t length, uint16_t *port)
{
    struct sockaddr_in6 bound = {0}; /* the port is where sockaddr_in has it */
    socklen_t bound_length = sizeof(bound);
    int one = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (address->sa_family == AF_INET6)
        assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)), 0);
    assert_int_equal(bind(fd, address, length), 0);
    assert_int_equal(listen(fd, 1024), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &bound_length), 0);
    *port = ntohs(bound.sin6_port);
    return fd;
}

static int listen4(bool any, uint16_t *port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    v4.sin_addr.s_addr = htonl(any ? INADDR_ANY : INADDR_LOOPBACK);
    return listen_on((struct sockaddr *)&v4, sizeof(v4), port);
}

static int listen6(bool any, uint16_t *port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    v6.sin6_addr = any ? in6addr_any : in6addr_loopback;
    return listen_on((struct sockaddr *)&v6, sizeof(v6), port);
}

/* In the child: fds[i] becomes descriptor i, and there are no others. */
static void become(const int *fds, int count, unsigned descriptors)
{
    int moved[FDS_MAX];
    const char *path = getenv("WICKET_RESPONDER");

    for (int i = 0; i < count; i++)
        moved[i] = fcntl(fds[i], F_DUPFD, FDS_MAX);
    for (int i = 0; i < count; i++)
        dup2(moved[i], i);
    close_range((unsigned)count, ~0U, 0);
    if (descriptors > 0) {
        struct rlimit limit = {descriptors, descriptors};
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    execl(path, path, (char *)NULL);
    _exit(127);
}

void harness_spawn(struct harness *harness, const struct harness_options *options)
{
    int pair[2];
    int fds[FDS_MAX];
    int count = 0;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int root = open(options->root ? options->root : "/dev/null", O_RDONLY | O_CLOEXEC);

    *harness = (struct harness){.pid = -1};
    assert_non_null(getenv("WICKET_RESPONDER"));
    assert_true(null >= 0 && root >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    fds[count++] = null;
    fds[count++] = null;
    fds[count++] = STDERR_FILENO;
    fds[count++] = pair[1];
    fds[count++] = root;
    fds[count++] = null; /* the lock */
    fds[count++] = null; /* the table */
    fds[count++] = listen4(options->any_address, &harness->port);
    if (options->setup.listeners == 2)
        fds[count++] = listen6(options->any_address, &harness->port6);
    harness->pid = fork();
    assert_true(harness->pid >= 0);
    if (harness->pid == 0)
        become(fds, count, options->descriptors);
    harness->link = pair[0];
    close(pair[1]);
    close(null);
    close(root);
    for (int i = LINK_FD_LISTEN; i < count; i++)
        close(fds[i]);
}

void harness_send_setup(struct harness *harness, const struct harness_options *options)
{
    union link_message message;
    struct link_setup setup = options->setup;

    link_message_init(&message, LINK_SETUP);
    setup.header = message.setup.header;
    setup.sidecar = !options->full;
    setup.listeners = setup.listeners ? setup.listeners : 1;
    setup.undecided = setup.undecided ? setup.undecided : 1024;
    if (!setup.undecided_per_address)
        setup.undecided_per_address = setup.undecided;
    setup.first_byte_ms = setup.first_byte_ms ? setup.first_byte_ms : 1000;
    setup.deadline_ms = setup.deadline_ms ? setup.deadline_ms : 60000;
    if (setup.other_requests == LINK_OTHER_PASS && !options->pass)
        setup.other_requests = LINK_OTHER_NOT_FOUND;
    message.setup = setup;
    harness_send(harness, &message);
}

void harness_start(struct harness *harness, const struct harness_options *options)
{
    union link_message message;

    harness_spawn(harness, options);
    harness_send_setup(harness, options);
    harness_expect(harness, LINK_READY, &message);
}

int harness_wait(struct harness *harness)
{
    int status = -1;
    assert_int_equal(waitpid(harness->pid, &status, 0), harness->pid);
    if (harness->link >= 0)
        close(harness->link);
    harness->link = -1;
    return status;
}

void harness_stop(struct harness *harness)
{
    close(harness->link);
    harness->link = -1;
    assert_int_equal(harness_wait(harness), 0);
}

/* ---- the link ---- */

static void wait_for(int fd, short events)
{
    struct pollfd ready = {.fd = fd, .events = events};
    assert_int_equal(poll(&ready, 1, HARNESS_WAIT_MS), 1);
}

void harness_send(struct harness *harness, const union link_message *message)
{
    assert_true(link_send(harness->link, message, -1) > 0);
}

void harness_key_authorization(struct harness *harness, const char *key_authorization)
{
    union link_message message;
    link_message_init(&message, LINK_TOKEN);
    snprintf(message.token.key_authorization, sizeof(message.token.key_authorization), "%s",
             key_authorization);
    harness_send(harness, &message);
}

void harness_token(struct harness *harness, const char *token)
{
    char text[CHALLENGE_KEY_AUTHORIZATION_MAX + 1];
    snprintf(text, sizeof(text), "%s." THUMBPRINT, token);
    harness_key_authorization(harness, text);
}

void harness_forget(struct harness *harness, const char *token)
{
    union link_message message;
    link_message_init(&message, LINK_FORGET);
    snprintf(message.forget.token, sizeof(message.forget.token), "%s", token);
    harness_send(harness, &message);
}

void harness_receive(struct harness *harness, union link_message *out, int *fd)
{
    struct error error = {0};

    wait_for(harness->link, POLLIN);
    ssize_t length = link_receive(harness->link, out, fd);
    if (length <= 0)
        fail_msg("the responder ended the link");
    if (link_message_check(out, (size_t)length, &error) < 0)
        fail_msg("%s", error.text);
    assert_int_equal(*fd >= 0, link_message_carries(out));
}

void harness_expect(struct harness *harness, enum link_type type, union link_message *out)
{
    int fd;

    harness_receive(harness, out, &fd);
    assert_int_equal(out->header.type, type);
    assert_int_equal(fd, -1);
}

void harness_drain(struct harness *harness, uint64_t sequence, uint64_t idle_ms)
{
    union link_message message;

    link_message_init(&message, LINK_DRAIN);
    message.drain.sequence = sequence;
    message.drain.idle_ms = idle_ms;
    harness_send(harness, &message);
}

void harness_expect_drained(struct harness *harness, uint64_t sequence)
{
    union link_message message;

    harness_expect(harness, LINK_DRAINED, &message);
    assert_int_equal(message.drained.sequence, sequence);
}

struct link_pong harness_ping(struct harness *harness, unsigned *validations)
{
    union link_message message;
    uint64_t sequence = ++harness->pings;
    int fd;

    link_message_init(&message, LINK_PING);
    message.ping.sequence = sequence;
    harness_send(harness, &message);
    for (harness_receive(harness, &message, &fd); message.header.type == LINK_VALIDATION;
         harness_receive(harness, &message, &fd)) {
        if (validations)
            ++*validations;
    }
    assert_int_equal(message.header.type, LINK_PONG);
    assert_int_equal(message.pong.sequence, sequence);
    return message.pong;
}

unsigned harness_descriptors(const struct harness *harness)
{
    char path[64];
    unsigned count = 0;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)harness->pid);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

unsigned long harness_ticks(const struct harness *harness)
{
    char path[64], line[1024];
    unsigned long user = 0, kernel = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)harness->pid);
    FILE *stream = fopen(path, "re");
    assert_non_null(stream);
    assert_non_null(fgets(line, sizeof(line), stream));
    fclose(stream);
    const char *rest = strrchr(line, ')');
    assert_non_null(rest);
    assert_int_equal(
        sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel), 2);
    return user + kernel;
}

void harness_wait_connections(struct harness *harness, unsigned count)
{
    uint64_t until_ms = harness_now_ms() + HARNESS_WAIT_MS;
    while (harness_ping(harness, NULL).connections != count)
        assert_true(harness_now_ms() < until_ms);
}

/* ---- visitors ---- */

int harness_connect_to(const struct harness *harness, const char *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(harness->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(harness->port6)};
    bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_true(is_v4 || inet_pton(AF_INET6, address, &v6.sin6_addr) == 1);
    /* From an address that is no loopback one to another: to itself only this host would talk. */
    if (is_v4 && ntohl(v4.sin_addr.s_addr) >> 24 != 127) {
        struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = v4.sin_addr};
        assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
        assert_int_equal(inet_pton(AF_INET, HARNESS_HOST4, &v4.sin_addr), 1);
    } else if (!is_v4 && !IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr)) {
        struct sockaddr_in6 from = {.sin6_family = AF_INET6, .sin6_addr = v6.sin6_addr};
        assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
        assert_int_equal(inet_pton(AF_INET6, HARNESS_HOST6, &v6.sin6_addr), 1);
    }
    if (is_v4)
        assert_int_equal(connect(fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
    else
        assert_int_equal(connect(fd, (struct sockaddr *)&v6, sizeof(v6)), 0);
    return fd;
}

int harness_connect(const struct harness *harness)
{
    return harness_connect_to(harness, "127.0.0.1");
}

int harness_connect6(const struct harness *harness)
{
    return harness_connect_to(harness, "::1");
}

void harness_write(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        assert_true(sent > 0);
        at += sent;
        length -= (size_t)sent;
    }
}

size_t harness_read(int fd, char *out, size_t capacity)
{
    size_t length = 0;

    for (;;) {
        wait_for(fd, POLLIN);
        ssize_t got = recv(fd, out + length, capacity - 1 - length, 0);
        if (got < 0)
            fail_msg("no answer to its end: %s", strerror(errno));
        if (got == 0)
            break;
        length += (size_t)got;
        assert_true(length < capacity - 1);
    }
    out[length] = '\0';
    close(fd);
    return length;
}

void harness_wait_end(int fd)
{
    char bytes[4096];
    do {
        wait_for(fd, POLLIN);
    } while (recv(fd, bytes, sizeof(bytes), 0) > 0);
    close(fd);
}

size_t harness_exchange(const struct harness *harness, const char *request, char *out,
                        size_t capacity)
{
    int fd = harness_connect(harness);
    harness_write(fd, request, strlen(request));
    return harness_read(fd, out, capacity);
}

unsigned harness_status(const struct harness *harness, const char *request)
{
    char answer[8192];
    unsigned status = 0;
    if (harness_exchange(harness, request, answer, sizeof(answer)) > 0)
        assert_int_equal(sscanf(answer, "HTTP/1.1 %u ", &status), 1);
    return status;
}
