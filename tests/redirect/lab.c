// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lab.h"
#include "sample.h"
#include "unit.h"

#define PATIENCE_MS 2000
#define SETUP_MS    10000
#define CLOSED_PORT 9

/* $outside and $inside are their namespaces. IPv6 addresses and carriers come up in the kernel's
 * own time: without duplicate detection and with quick neighbours that is milliseconds. */
static const char script[] =
    "set -e\n"
    "each() { for place in $outside $inside /proc/self/ns/net; do"
    " nsenter --net=$place sh -ec \"cd /proc/sys/net; $1\"; done; }\n"
    "each 'echo 0 > ipv6/conf/default/accept_dad; ip link set lo up'\n"
    "ip link add out type veth peer name eth0 netns $outside\n"
    "ip link add in type veth peer name eth0 netns $inside\n"
    "each 'for device in ipv4/neigh/* ipv6/neigh/*; do echo 10 > $device/retrans_time_ms;"
    " echo 300 > $device/mcast_solicit; done'\n"
    "ip link set out up\n"
    "ip link set in up\n"
    "ip address add 10.77.1.1/24 dev out\n"
    "ip address add 10.77.1.3/24 dev out\n"
    "ip address add fd77:1::1/64 dev out nodad\n"
    "ip address add 10.77.2.1/24 dev in\n"
    "ip address add fd77:2::1/64 dev in nodad\n"
    "echo 1 > /proc/sys/net/ipv4/ip_forward\n"
    "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding\n"
    "nsenter --net=$outside sh -ec 'ip link set eth0 up;"
    " ip address add 10.77.1.2/24 dev eth0; ip address add fd77:1::2/64 dev eth0 nodad;"
    " ip route add default via 10.77.1.1; ip route add default via fd77:1::1'\n"
    "nsenter --net=$inside sh -ec 'ip link set eth0 up;"
    " ip address add 10.77.2.2/24 dev eth0; ip address add fd77:2::2/64 dev eth0 nodad;"
    " ip route add default via 10.77.2.1; ip route add default via fd77:2::1'\n";

int64_t lab_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool lab_shell(const char *command)
{
    int status = system(command); // NOLINT(cert-env33-c): the commands are this file's

    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

char *lab_output(const char *command)
{
    FILE *stream = popen(command, "re"); // NOLINT(cert-env33-c): as above
    char *text = NULL;
    size_t capacity = 0;

    assert_non_null(stream);
    if (getdelim(&text, &capacity, '\0', stream) < 0)
        fail_msg("no output: %s", command);
    if (pclose(stream) != 0)
        fail_msg("failed: %s", command);
    return text;
}

static int open_namespace(void)
{
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void enter(int namespace)
{
    if (setns(namespace, CLONE_NEWNET) < 0)
        fail_msg("setns: %s", strerror(errno));
}

int lab_socket(const struct lab *lab, enum lab_place place, int domain, int type, int protocol)
{
    enter(lab->namespaces[place]);
    int fd = socket(domain, type | SOCK_CLOEXEC, protocol);
    enter(lab->namespaces[LAB_HOST]);
    assert_true(fd >= 0);
    return fd;
}

void lab_be_transparent(int fd)
{
    const int on = 1;

    assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on)), 0);
}

static int listen_on(const struct lab *lab, enum lab_place place, uint16_t port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int off = 0;

    int fd = lab_socket(lab, place, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1024), 0);
    return fd;
}

int lab_teardown(void **state)
{
    struct lab *lab = *state;

    enter(lab->original);
    close(lab->original);
    for (int i = 0; i < LAB_PLACES; i++)
        close(lab->namespaces[i]);
    close(lab->production);
    close(lab->responder);
    close(lab->inside);
    return 0;
}

socklen_t lab_parse(struct sockaddr_storage *out, const char *address, uint16_t port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof(*v4);
    }
    assert_int_equal(inet_pton(AF_INET6, address, &v6->sin6_addr), 1);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return sizeof(*v6);
}

/* As lab_connect; -1 with errno. */
static int try_connect(const struct lab *lab, enum lab_place from, const char *address,
                       uint16_t port, uint16_t source_port)
{
    struct sockaddr_storage to, own;
    socklen_t length = lab_parse(&to, address, port);

    int fd = lab_socket(lab, from, to.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (source_port != 0) {
        lab_parse(&own, to.ss_family == AF_INET ? "0.0.0.0" : "::", source_port);
        assert_int_equal(bind(fd, (const struct sockaddr *)&own, length), 0);
    }
    if (connect(fd, (const struct sockaddr *)&to, length) == 0 || errno == EINPROGRESS)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

int lab_connect(const struct lab *lab, enum lab_place from, const char *address, uint16_t port,
                uint16_t source_port)
{
    int fd = try_connect(lab, from, address, port, source_port);

    if (fd < 0)
        fail_msg("connect to %s: %s", address, strerror(errno));
    return fd;
}

/* Whether a connection to a port where nobody listens is refused, as it is once there is a way. */
static bool is_refused(const struct lab *lab, enum lab_place from, const char *address)
{
    struct pollfd item = {.events = POLLOUT};
    int number = 0;
    socklen_t size = sizeof(number);

    item.fd = try_connect(lab, from, address, CLOSED_PORT, 0);
    if (item.fd < 0)
        return errno == ECONNREFUSED;
    poll(&item, 1, 10);
    getsockopt(item.fd, SOL_SOCKET, SO_ERROR, &number, &size);
    close(item.fd);
    return number == ECONNREFUSED;
}

static void wait_for_ways(const struct lab *lab)
{
    static const struct {
        enum lab_place from;
        const char *address;
    } ways[] = {
        {LAB_HOST, "127.0.0.1"},    {LAB_HOST, "::1"},          {LAB_HOST, "10.77.1.1"},
        {LAB_HOST, "fd77:1::1"},    {LAB_HOST, "10.77.2.2"},    {LAB_HOST, "fd77:2::2"},
        {LAB_OUTSIDE, "10.77.1.1"}, {LAB_OUTSIDE, "10.77.1.3"}, {LAB_OUTSIDE, "fd77:1::1"},
        {LAB_OUTSIDE, "10.77.2.2"}, {LAB_OUTSIDE, "fd77:2::2"},
    };
    int64_t begin_ns = lab_now_ns();

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        while (!is_refused(lab, ways[i].from, ways[i].address))
            if (lab_now_ns() - begin_ns > (int64_t)SETUP_MS * 1000000)
                fail_msg("no way to %s", ways[i].address);
}

int lab_setup(void **state)
{
    static struct lab lab;
    char command[2048];

    lab.original = open_namespace();
    for (int i = LAB_PLACES - 1; i >= 0; i--) {
        if (unshare(CLONE_NEWNET) < 0)
            fail_msg("a network namespace of our own: %s: run as root", strerror(errno));
        lab.namespaces[i] = open_namespace();
    }
    snprintf(command, sizeof(command), "outside=/proc/%d/fd/%d inside=/proc/%d/fd/%d\n%s",
             (int)getpid(), lab.namespaces[LAB_OUTSIDE], (int)getpid(), lab.namespaces[LAB_INSIDE],
             script);
    assert_true(lab_shell(command));
    lab.production = listen_on(&lab, LAB_HOST, LAB_PRODUCTION);
    lab.responder = listen_on(&lab, LAB_HOST, LAB_RESPONDER);
    if (sample_method == CONFIG_METHOD_TPROXY)
        lab_be_transparent(lab.responder);
    lab.inside = listen_on(&lab, LAB_INSIDE, LAB_PRODUCTION);
    wait_for_ways(&lab);
    *state = &lab;
    return 0;
}

int lab_accept(int listener)
{
    struct pollfd item = {.fd = listener, .events = POLLIN};

    if (poll(&item, 1, PATIENCE_MS) != 1)
        fail_msg("nobody connected");
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(fd >= 0);
    return fd;
}

bool lab_passes_byte(int from, int to)
{
    struct pollfd items[] = {{.fd = to, .events = POLLIN}, {.fd = from, .events = POLLOUT}};
    char byte = 'x';

    if (poll(&items[1], 1, PATIENCE_MS) != 1 || send(from, &byte, 1, MSG_NOSIGNAL) != 1)
        return false;
    return poll(&items[0], 1, PATIENCE_MS) == 1 && recv(to, &byte, 1, 0) == 1;
}

void lab_close(int fd)
{
    struct linger linger = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

uint16_t lab_reaches(const struct lab *lab, enum lab_place from, const char *address,
                     uint16_t source_port)
{
    static const uint16_t ports[] = {LAB_PRODUCTION, LAB_RESPONDER, 0};
    struct pollfd items[] = {{.fd = lab->production, .events = POLLIN},
                             {.fd = lab->responder, .events = POLLIN},
                             {.fd = lab->inside, .events = POLLIN}};
    int client = lab_connect(lab, from, address, LAB_PRODUCTION, source_port);

    if (poll(items, 3, PATIENCE_MS) != 1)
        fail_msg("%s: one server was to get the connection", address);
    for (size_t i = 0; i < 3; i++) {
        if (!(items[i].revents & POLLIN))
            continue;
        int server = lab_accept(items[i].fd);
        bool passes = lab_passes_byte(client, server) && lab_passes_byte(server, client);

        lab_close(client);
        lab_close(server);
        assert_true(passes);
        return ports[i];
    }
    fail_msg("%s: poll without an event", address);
    return 0;
}
