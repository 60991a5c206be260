// SPDX-License-Identifier: GPL-2.0-or-later
/* A responder that was taken over, as the keeper sees it: it cannot hold the keeper up. */
#include "keeper/child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "keeper/descriptor.h"
#include "wicket/log.h"

/* The name under which this program is the responder. */
#define SELF     "/proc/self/exe"
#define LINGER_S 600

/* What no close is to wait for. */
static void make_lingering(int fd)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = LINGER_S};
    static char bytes[65536];

    while (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        continue;
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) != 0)
        _exit(1);
}

static int accept_lingering(void)
{
    int fd = accept4(LINK_FD_LISTEN, NULL, NULL, 0);

    if (fd < 0)
        _exit(2);
    make_lingering(fd);
    return fd;
}

/* Leaves a socket in the link that nobody is going to read, and its own end unread too. */
__attribute__((noreturn)) static void be_responder(void)
{
    union link_message message;
    int fd = accept_lingering();

    link_message_init(&message, LINK_DRAINED);
    message.drained.sequence = 1;
    link_send(LINK_FD_LINK, &message, -1);
    link_message_init(&message, LINK_PASS);
    message.pass.id = 1;
    link_send(LINK_FD_LINK, &message, fd);
    _exit(0);
}

/* ---- the keeper's side ---- */

struct owner {
    unsigned int broken;
    struct error error;
};

static void note_broken(void *owner, const struct error *error)
{
    struct owner *noted = owner;

    noted->broken++;
    noted->error = *error;
}

static const struct child_handlers handlers = {.broken = note_broken};

struct stage {
    int epoll_fd, listener, visitor;
    struct owner owner;
    struct child child;
};

static int connect_to(int listener)
{
    struct sockaddr_in address;
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), few = 2048;

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &few, sizeof(few)), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, length), 0);
    return fd;
}

static void set_stage(struct stage *stage)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const struct link_setup setup = {.listeners = 1, .sidecar = 1};

    *stage = (struct stage){
        .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
        .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
    };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(stage->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(stage->listener, 8), 0);
    stage->visitor = connect_to(stage->listener);

    const struct spawn_plan plan = {
        .path = SELF,
        .mode = PRIVILEGES_SIDECAR,
        .null_fd = STDIN_FILENO,
        .root_fd = STDIN_FILENO,
        .lock_fd = STDIN_FILENO,
        .table_fd = STDIN_FILENO,
        .log_fd = STDERR_FILENO,
        .listen_fds = {stage->listener},
        .listen_count = 1,
    };
    child_init(&stage->child, stage->epoll_fd, &plan, &setup, &handlers, &stage->owner);
}

static void clear_stage(struct stage *stage)
{
    child_stop(&stage->child);
    close(stage->epoll_fd);
    close(stage->listener);
    close(stage->visitor);
}

/* With all that was sent before still on its way, a reset is what only a discard makes of it. */
static void assert_reset(int visitor)
{
    struct pollfd ready = {.fd = visitor};
    int reason = 0;
    socklen_t length = sizeof(reason);

    assert_int_equal(poll(&ready, 1, 5000), 1);
    assert_int_equal(getsockopt(visitor, SOL_SOCKET, SO_ERROR, &reason, &length), 0);
    assert_int_equal(reason, ECONNRESET);
}

/* Everything is in the link before the keeper looks. */
static void start_and_wait(struct stage *stage)
{
    struct error error;

    assert_int_equal(child_start(&stage->child, event_now_ms(), &error), 0);
    struct pollfd ended = {.fd = stage->child.process.fd, .events = POLLIN};
    assert_int_equal(poll(&ended, 1, 5000), 1);
}

static void test_unread(void **state)
{
    struct stage stage;

    (void)state;
    set_stage(&stage);
    start_and_wait(&stage);
    while (stage.child.state != CHILD_DOWN)
        assert_true(event_wait(stage.epoll_fd));
    assert_reset(stage.visitor);
    clear_stage(&stage);
}

/* The keeper ends before it has read anything at all. */
static void test_stop_unread(void **state)
{
    struct stage stage;

    (void)state;
    set_stage(&stage);
    start_and_wait(&stage);
    child_stop(&stage.child);
    assert_reset(stage.visitor);
    clear_stage(&stage);
}

static void test_dead_listener(void **state)
{
    struct stage stage;
    struct error error;

    (void)state;
    set_stage(&stage);
    assert_int_equal(shutdown(stage.listener, SHUT_RD), 0);
    assert_int_equal(child_start(&stage.child, event_now_ms(), &error), -1);
    assert_int_equal(error.exit_code, EX_PROTOCOL);
    assert_int_equal(stage.child.state, CHILD_DOWN);

    /* What is to be started again is fatal. */
    stage.child.due_ms = 0;
    child_tick(&stage.child, event_now_ms());
    assert_int_equal(stage.owner.broken, 1);
    assert_non_null(strstr(stage.owner.error.text, "port is not listened on any more"));
    clear_stage(&stage);
}

static void test_listener_restored(void **state)
{
    const struct linger long_one = {.l_onoff = 1, .l_linger = LINGER_S};
    struct linger linger = long_one;
    socklen_t length = sizeof(linger);
    struct stage stage;

    (void)state;
    set_stage(&stage);
    assert_int_equal(setsockopt(stage.listener, SOL_SOCKET, SO_LINGER, &linger, length), 0);
    assert_true(listen_restore(stage.listener));
    assert_int_equal(getsockopt(stage.listener, SOL_SOCKET, SO_LINGER, &linger, &length), 0);
    assert_int_equal(linger.l_onoff, 0);
    clear_stage(&stage);
}

/* The last resort: a close that would wait, with nobody to tell the socket otherwise. */
static void test_hurry(void **state)
{
    struct stage stage;

    (void)state;
    set_stage(&stage);
    int fd = accept4(stage.listener, NULL, NULL, SOCK_CLOEXEC);
    make_lingering(fd);
    descriptor_close(fd);
    clear_stage(&stage);
}

#define MANY 100000

/* All tokens that end at once, while the responder reads nothing: they wait, each in as much memory
 * as its message takes. */
static void test_many_wait(void **state)
{
    union link_message message;
    struct stage stage;
    int link[2];

    (void)state;
    set_stage(&stage);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, link),
                     0);
    stage.child.link.fd = link[0];
    stage.child.state = CHILD_READY;
    link_message_init(&message, LINK_FORGET);
    for (unsigned int i = 0; i < MANY; i++) {
        snprintf(message.forget.token, sizeof(message.forget.token), "%u", i);
        child_send(&stage.child, &message);
    }
    assert_int_equal(stage.child.state, CHILD_READY);
    assert_non_null(stage.child.waiting);
    assert_true(stage.child.waiting_bytes < MANY * (sizeof(message.forget) + 32));
    assert_int_equal(link_receive(link[1], &message, NULL), sizeof(message.forget));
    assert_string_equal(message.forget.token, "0");
    close(link[1]);
    clear_stage(&stage);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unread),        cmocka_unit_test(test_stop_unread),
        cmocka_unit_test(test_dead_listener), cmocka_unit_test(test_listener_restored),
        cmocka_unit_test(test_hurry),         cmocka_unit_test(test_many_wait),
    };

    if (count == 1 && strcmp(arguments[0], SELF) == 0)
        be_responder();
    log_init(STDERR_FILENO, "test_child", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
