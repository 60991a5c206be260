// SPDX-License-Identifier: GPL-2.0-or-later
/* What the program does as the keeper tells it. */
#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GET(token) "GET " PATH(token) " HTTP/1.1\r\nHost: a\r\n\r\n"

static const struct harness_options defaults;

static bool exited(int status, int code)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

static void test_options(void **state)
{
    const char *path = getenv("WICKET_RESPONDER");
    char command[4096];

    (void)state;
    assert_non_null(path);
    snprintf(command, sizeof(command), "'%s' --version | grep -qx 'wicket-responder [0-9.]*'",
             path);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof(command), "'%s' --help | grep -q '^usage: '", path);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof(command), "'%s' --version x 2>/dev/null", path);
    assert_true(exited(system(command), 64));
    snprintf(command, sizeof(command), "'%s' 3<&- 2>&1 | grep -q 'wicket-keeper starts'", path);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof(command), "'%s' 3<&- 2>/dev/null", path);
    assert_true(exited(system(command), 64));
    snprintf(command, sizeof(command), "'%s' 3</dev/null 2>/dev/null", path);
    assert_true(exited(system(command), 64));
}

static void test_end_of_link(void **state)
{
    struct harness harness;

    (void)state;
    harness_spawn(&harness, &defaults);
    harness_stop(&harness); /* before the setup */
    harness_start(&harness, &defaults);
    int fd = harness_connect(&harness);
    harness_write(fd, "GET /", 5);
    harness_stop(&harness); /* with a connection */
    harness_wait_end(fd);
}

/* The keeper is gone with messages of ours unread. */
static void test_end_of_link_unread(void **state)
{
    struct harness harness;

    (void)state;
    harness_start(&harness, &defaults);
    harness_token(&harness, "t");
    for (int i = 0; i < 3; i++)
        assert_int_equal(harness_status(&harness, GET("t")), 200);
    harness_stop(&harness);
}

static void assert_fatal(const void *bytes, size_t length, bool with_setup)
{
    struct harness harness;

    if (with_setup)
        harness_start(&harness, &defaults);
    else
        harness_spawn(&harness, &defaults);
    assert_int_equal(send(harness.link, bytes, length, MSG_NOSIGNAL), length);
    assert_true(exited(harness_wait(&harness), 70));
}

static void test_bad_messages(void **state)
{
    union link_message message;

    (void)state;
    assert_fatal("x", 1, false);
    assert_fatal("x", 1, true);

    link_message_init(&message, LINK_PING);
    assert_fatal(&message, sizeof(message.ping), false); /* before the setup */
    assert_fatal(&message, sizeof(message.ping) - 1, true);
    message.header.version++;
    assert_fatal(&message, sizeof(message.ping), true);

    link_message_init(&message, LINK_READY); /* the wrong way */
    assert_fatal(&message, sizeof(message.plain), true);
    link_message_init(&message, LINK_TOKEN);
    assert_fatal(&message, sizeof(message.token), true);
    strcpy(message.token.key_authorization, "a/b." THUMBPRINT);
    assert_fatal(&message, sizeof(message.token), true);

    link_message_init(&message, LINK_SETUP);
    message.setup.sidecar = 1;
    message.setup.listeners = 1;
    message.setup.undecided = message.setup.undecided_per_address = 1;
    message.setup.first_byte_ms = message.setup.deadline_ms = 1000;
    message.setup.listeners = 2; /* there is one */
    assert_fatal(&message, sizeof(message.setup), false);
    assert_fatal(&message, sizeof(message.setup), true);
}

/* With `count` copies of a descriptor. */
static void assert_fatal_with(const union link_message *message, size_t count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } buffer = {0};
    const int fds[2] = {STDERR_FILENO, STDERR_FILENO};
    union link_message copy = *message;
    struct iovec part = {&copy, link_message_length(message->header.type)};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    struct harness harness;

    if (count > 0) {
        packet.msg_control = &buffer;
        packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
        buffer.header.cmsg_level = SOL_SOCKET;
        buffer.header.cmsg_type = SCM_RIGHTS;
        buffer.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&buffer.header), fds, count * sizeof(int));
    }
    harness_start(&harness, &(struct harness_options){.pass = true});
    assert_int_equal(sendmsg(harness.link, &packet, MSG_NOSIGNAL), part.iov_len);
    assert_true(exited(harness_wait(&harness), 70));
}

static void test_bad_descriptors(void **state)
{
    union link_message message;

    (void)state;
    link_message_init(&message, LINK_PING);
    assert_fatal_with(&message, 1);
    link_message_init(&message, LINK_PASSED);
    message.passed.id = 1;
    assert_fatal_with(&message, 1); /* nobody has asked */
    assert_fatal_with(&message, 0);
    assert_fatal_with(&message, 2);
    message.passed.failure = EHOSTUNREACH;
    assert_fatal_with(&message, 0);
    assert_fatal_with(&message, 1);
    message.passed.id = 0;
    assert_fatal_with(&message, 0);
    link_message_init(&message, LINK_PASS); /* the wrong way */
    message.pass.id = 1;
    assert_fatal_with(&message, 1);
    link_message_init(&message, LINK_CROWDED);
    assert_fatal_with(&message, 0);
    link_message_init(&message, LINK_DRAINED);
    message.drained.sequence = 1;
    assert_fatal_with(&message, 0);
}

/* Limits can change in a life, and connections that are there go on. */
static void test_second_setup(void **state)
{
    struct harness_options options = defaults;
    struct harness harness;

    (void)state;
    harness_start(&harness, &options);
    harness_token(&harness, "t");
    int waiting = harness_connect(&harness);
    harness_write(waiting, "GET /", 5);
    assert_int_equal(harness_status(&harness, GET("other")), 404);
    options.setup.other_requests = LINK_OTHER_HTTPS;
    harness_send_setup(&harness, &options);
    harness_ping(&harness, NULL);
    assert_int_equal(harness_status(&harness, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"), 308);
    assert_int_equal(harness_status(&harness, GET("t")), 200);
    static const char rest[] = "y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    harness_write(waiting, rest, sizeof(rest) - 1);
    char answer[4096];
    answer[harness_read(waiting, answer, sizeof(answer) - 1)] = '\0';
    assert_non_null(strstr(answer, " 308 "));
    close(waiting);
    harness_stop(&harness);
}

static void test_tokens(void **state)
{
    struct harness harness;
    char answer[4096];

    (void)state;
    harness_start(&harness, &defaults);
    assert_int_equal(harness_status(&harness, GET("one")), 404);
    harness_token(&harness, "one");
    harness_token(&harness, "two");
    harness_token(&harness, "two");
    for (int i = 0; i < 5; i++) /* five validators ask */
        assert_int_equal(harness_status(&harness, GET("one")), 200);
    harness_forget(&harness, "one");
    harness_forget(&harness, "never-there");
    assert_int_equal(harness_status(&harness, GET("one")), 404);
    assert_int_equal(harness_status(&harness, GET("two")), 200);

    harness_key_authorization(&harness, "two.OtherXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    harness_exchange(&harness, GET("two"), answer, sizeof(answer));
    assert_non_null(strstr(answer, "\r\n\r\ntwo.OtherXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
    harness_stop(&harness);
}

static void test_longest_token(void **state)
{
    char token[CHALLENGE_TOKEN_MAX + 1], request[512], answer[4096];
    struct harness harness;
    union link_message message;

    (void)state;
    harness_start(&harness, &defaults);
    memset(token, '_', CHALLENGE_TOKEN_MAX);
    token[CHALLENGE_TOKEN_MAX] = '\0';
    harness_token(&harness, token);
    snprintf(request, sizeof(request), "GET " PATH("%s") " HTTP/1.0\r\n\r\n", token);
    harness_exchange(&harness, request, answer, sizeof(answer));
    const char *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(strlen(body + 4), CHALLENGE_KEY_AUTHORIZATION_MAX);
    harness_expect(&harness, LINK_VALIDATION, &message);
    assert_string_equal(message.validation.token, token);
    harness_stop(&harness);
}

/* A request made after the token was sent finds it, also when the responder sees the connection
 * first; and the answer after a LINK_FORGET is 404 likewise. */
static void test_token_before_request(void **state)
{
    struct harness harness;
    char token[32], request[256];

    (void)state;
    harness_start(&harness, &defaults);
    for (int i = 0; i < 1000; i++) {
        snprintf(token, sizeof(token), "token%d", i);
        snprintf(request, sizeof(request), "GET " PATH("%s") " HTTP/1.0\r\n\r\n", token);
        int other = harness_connect(&harness); /* keeps the loop busy meanwhile */
        harness_write(other, "GET / HTTP/1.0\r\n\r\n", 18);
        harness_token(&harness, token);
        assert_int_equal(harness_status(&harness, request), 200);
        harness_forget(&harness, token);
        assert_int_equal(harness_status(&harness, request), 404);
        harness_wait_end(other);
        harness_ping(&harness, NULL); /* reads the validations away */
    }
    harness_stop(&harness);
}

#define LEAST "0123456789012345678901"

/* From the message on, and until the one that takes it back; told as a validation. */
static void test_stateless(void **state)
{
    struct harness harness;
    union link_message message;
    char answer[4096];

    (void)state;
    harness_start(&harness, &defaults);
    assert_int_equal(harness_status(&harness, GET(LEAST)), 404);
    link_message_init(&message, LINK_STATELESS);
    strcpy(message.stateless.thumbprint, THUMBPRINT);
    harness_send(&harness, &message);
    harness_exchange(&harness, GET(LEAST), answer, sizeof(answer));
    assert_non_null(strstr(answer, "\r\n\r\n" LEAST "." THUMBPRINT));
    harness_expect(&harness, LINK_VALIDATION, &message);
    assert_string_equal(message.validation.token, LEAST);
    assert_int_equal(harness_status(&harness, GET("012345678901234567890")), 404);
    assert_int_equal(harness_status(&harness, GET(LEAST "?")), 404);
    assert_int_equal(harness_status(&harness, GET(LEAST "%41")), 404);
    assert_int_equal(harness_status(&harness, GET(LEAST "/")), 404);
    link_message_init(&message, LINK_STATELESS);
    harness_send(&harness, &message);
    assert_int_equal(harness_status(&harness, GET(LEAST)), 404);
    harness_stop(&harness);
}

static void test_ping(void **state)
{
    struct harness harness;
    unsigned told = 0;

    (void)state;
    harness_start(&harness, &defaults);
    struct link_pong pong = harness_ping(&harness, &told);
    assert_int_equal(pong.connections, 0);
    assert_int_equal(pong.exhausted, 0);

    harness_token(&harness, "t");
    int fd = harness_connect(&harness);
    harness_write(fd, "GET", 3);
    do { /* accepting is deferred: the kernel may hand it over a moment later */
        pong = harness_ping(&harness, &told);
    } while (pong.connections == 0);
    assert_int_equal(pong.connections, 1);
    close(fd);
    assert_int_equal(harness_status(&harness, GET("t")), 200);
    assert_int_equal(harness_status(&harness, "HEAD " PATH("t") " HTTP/1.0\r\n\r\n"), 200);
    assert_int_equal(harness_status(&harness, GET("u")), 404);
    pong = harness_ping(&harness, &told);
    assert_int_equal(pong.connections, 0);
    /* All of this came from this host: nothing of it is a visitor or a validator. */
    assert_int_equal(pong.validations, 0);
    assert_int_equal(pong.turned_away, 0);
    assert_int_equal(told, 1);
    harness_stop(&harness);
}

static void test_validation(void **state)
{
    struct harness harness;
    union link_message message;
    struct sockaddr_in local = {0};
    socklen_t length = sizeof(local);
    char answer[4096];

    (void)state;
    harness_start(&harness, &defaults);
    harness_token(&harness, "t");
    int fd = harness_connect(&harness);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&local, &length), 0);
    harness_write(fd, GET("t"), strlen(GET("t")));
    harness_expect(&harness, LINK_VALIDATION, &message);
    harness_read(fd, answer, sizeof(answer));
    assert_int_equal(message.validation.family, AF_INET);
    assert_int_equal(message.validation.port, ntohs(local.sin_port));
    assert_int_equal(message.validation.loopback, 1);
    assert_memory_equal(message.validation.address, "\x7f\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_string_equal(message.validation.token, "t");
    assert_int_equal(message.validation.status, 200);
    assert_string_equal(message.validation.host, "a");
    assert_string_equal(message.validation.user_agent, "");
    harness_stop(&harness);
}

/* Told as text that needs no more care: what is not printable is escaped, and what is long cut. */
static void test_validation_words(void **state)
{
    static const struct {
        const char *request, *host, *user_agent;
    } rows[] = {
        {"GET " PATH(
             "t") " HTTP/1.1\r\nHost: www.example.org:80\r\nUser-Agent: a \"b\" \\ c\r\n\r\n",
         "www.example.org:80", "a \\\"b\\\" \\\\ c"},
        {"GET http://other.example" PATH(
             "t") " HTTP/1.1\r\nHost: h\r\nUser-Agent: \xc3\xa4\x80\r\n\r\n",
         "other.example", "\\xc3\\xa4\\x80"},
        {"GET " PATH("t") " HTTP/1.0\r\n\r\n", "", ""},
    };
    char longest[1024];
    struct harness harness;
    union link_message message;
    char answer[4096];

    (void)state;
    harness_start(&harness, &defaults);
    harness_token(&harness, "t");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        harness_exchange(&harness, rows[i].request, answer, sizeof(answer));
        harness_expect(&harness, LINK_VALIDATION, &message);
        assert_string_equal(message.validation.host, rows[i].host);
        assert_string_equal(message.validation.user_agent, rows[i].user_agent);
    }
    snprintf(longest, sizeof(longest),
             "GET " PATH("t") " HTTP/1.1\r\nHost: h\r\nUser-Agent: %0500d\r\n\r\n", 7);
    harness_exchange(&harness, longest, answer, sizeof(answer));
    harness_expect(&harness, LINK_VALIDATION, &message);
    assert_int_equal(strlen(message.validation.user_agent), LINK_USER_AGENT_MAX - 1);
    assert_string_equal(message.validation.user_agent + LINK_USER_AGENT_MAX - 4, "...");
    harness_stop(&harness);
}

/* Nobody reads the link: events are dropped, requests answered, and a ping is still answered. */
static void test_full_link(void **state)
{
    struct harness harness;
    unsigned told = 0;

    (void)state;
    harness_start(&harness, &defaults);
    harness_token(&harness, "t");
    for (int i = 0; i < 1000; i++)
        assert_int_equal(harness_status(&harness, GET("t")), 200);
    harness_ping(&harness, &told);
    assert_true(told > 0 && told < 1000);
    assert_int_equal(harness_status(&harness, GET("t")), 200);
    harness_stop(&harness);
}

static void test_told_a_second(void **state)
{
    struct harness harness;
    unsigned told = 0;
    uint64_t start_ms = harness_now_ms();

    (void)state;
    harness_start(&harness, &defaults);
    harness_token(&harness, "t");
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(harness_status(&harness, GET("t")), 200);
        if (i % 50 == 0)
            harness_ping(&harness, &told);
    }
    harness_ping(&harness, &told);
    uint64_t seconds = (harness_now_ms() - start_ms) / 1000 + 1;
    assert_true(told >= LINK_VALIDATIONS_A_SECOND);
    assert_true(told <= (seconds + 1) * LINK_VALIDATIONS_A_SECOND);
    /* And again in another second. */
    unsigned before = told;
    uint64_t until_ms = harness_now_ms() + HARNESS_WAIT_MS;
    while (told < before + LINK_VALIDATIONS_A_SECOND && harness_now_ms() < until_ms) {
        assert_int_equal(harness_status(&harness, GET("t")), 200);
        harness_ping(&harness, &told);
    }
    assert_true(told >= before + LINK_VALIDATIONS_A_SECOND);
    harness_stop(&harness);
}

static void test_drain(void **state)
{
    const char *request = GET("t");
    struct harness harness;
    union link_message message;
    char answer[4096];

    (void)state;
    harness_start(&harness, &defaults);
    harness_token(&harness, "t");
    harness_drain(&harness, 7, 0);
    harness_expect_drained(&harness, 7);

    int fd = harness_connect(&harness);
    harness_write(fd, request, 20);
    while (harness_ping(&harness, NULL).connections == 0)
        ;
    harness_drain(&harness, 8, 0);
    assert_int_equal(harness_ping(&harness, NULL).connections, 1); /* and not LINK_DRAINED */
    harness_write(fd, request + 20, strlen(request) - 20);
    harness_read(fd, answer, sizeof(answer));
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    harness_expect(&harness, LINK_VALIDATION, &message);
    harness_expect_drained(&harness, 8);
    harness_stop(&harness);
}

/* Only the last question is answered, and none that was called off. */
static void test_drain_called_off(void **state)
{
    struct harness harness;

    (void)state;
    harness_start(&harness, &defaults);
    int fd = harness_connect(&harness);
    harness_write(fd, "GET /", 5);
    harness_wait_connections(&harness, 1);
    harness_drain(&harness, 1, 0);
    harness_drain(&harness, 2, 0);
    harness_drain(&harness, 0, 0);
    harness_ping(&harness, NULL);
    close(fd);
    harness_wait_connections(&harness, 0); /* and not LINK_DRAINED */
    harness_drain(&harness, 0, 0);
    harness_ping(&harness, NULL);

    fd = harness_connect(&harness);
    harness_write(fd, "GET /", 5);
    harness_wait_connections(&harness, 1);
    harness_drain(&harness, 3, 0);
    harness_drain(&harness, UINT64_MAX, 0);
    harness_ping(&harness, NULL);
    close(fd);
    harness_expect_drained(&harness, UINT64_MAX);
    harness_ping(&harness, NULL); /* told once */
    harness_stop(&harness);
}

/* A request that was there when the drain was asked for is answered first. */
static void test_drain_takes_the_queue(void **state)
{
    struct harness harness;
    union link_message message;
    char answer[4096];

    (void)state;
    harness_start(&harness, &defaults);
    harness_token(&harness, "t");
    for (int i = 0; i < 100; i++) {
        int fd = harness_connect(&harness);
        harness_write(fd, GET("t"), strlen(GET("t")));
        harness_drain(&harness, (uint64_t)i + 1, 0);
        harness_expect(&harness, LINK_VALIDATION, &message);
        harness_expect_drained(&harness, (uint64_t)i + 1);
        harness_read(fd, answer, sizeof(answer));
        assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    }
    harness_stop(&harness);
}

#define QUEUED 300

/* More of them than are accepted in one round. */
static void test_drain_takes_a_long_queue(void **state)
{
    struct harness harness;
    int fds[QUEUED];

    (void)state;
    harness_start(&harness, &defaults);
    assert_int_equal(kill(harness.pid, SIGSTOP), 0);
    for (int i = 0; i < QUEUED; i++) {
        fds[i] = harness_connect(&harness);
        harness_write(fds[i], GET("t"), strlen(GET("t")));
    }
    harness_drain(&harness, 1, 0);
    assert_int_equal(kill(harness.pid, SIGCONT), 0);
    harness_expect_drained(&harness, 1);
    for (int i = 0; i < QUEUED; i++) {
        char answer[16] = "";
        assert_true(recv(fds[i], answer, sizeof(answer) - 1, MSG_DONTWAIT) > 0);
        assert_memory_equal(answer, "HTTP/1.1 404 ", 13);
        close(fds[i]);
    }
    harness_stop(&harness);
}

/* What reaches a whole process group is not for it. */
static void test_signals(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    struct harness harness;

    (void)state;
    harness_start(&harness, &defaults);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        assert_int_equal(kill(harness.pid, signals[i]), 0);
    harness_ping(&harness, NULL);
    harness_stop(&harness);
}

/* Starts a responder, leaves its link open with another process, and ends. */
static void be_parent_that_dies(int report)
{
    struct harness harness;

    harness_start(&harness, &defaults);
    pid_t holder = fork();
    if (holder == 0) {
        close(report);
        for (;;)
            pause();
    }
    const pid_t pids[2] = {harness.pid, holder};
    _exit(write(report, pids, sizeof(pids)) == sizeof(pids) ? 0 : 1);
}

/* Nobody who holds a copy of the keeper's end keeps the responder alive. */
static void test_parent_dies(void **state)
{
    int report[2], status = -1;
    pid_t pids[2] = {-1, -1};

    (void)state;
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent == 0)
        be_parent_that_dies(report[1]);
    close(report[1]);
    assert_int_equal(read(report[0], pids, sizeof(pids)), sizeof(pids));
    struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, pids[0], 0), .events = POLLIN};
    /* ESRCH: it is gone already. */
    if (ended.fd >= 0)
        assert_int_equal(poll(&ended, 1, HARNESS_WAIT_MS), 1);
    else
        assert_int_equal(errno, ESRCH);
    assert_int_equal(kill(pids[1], SIGKILL), 0);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_int_equal(status, 0);
    close(ended.fd);
    close(report[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_end_of_link),
        cmocka_unit_test(test_end_of_link_unread),
        cmocka_unit_test(test_bad_messages),
        cmocka_unit_test(test_bad_descriptors),
        cmocka_unit_test(test_second_setup),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_longest_token),
        cmocka_unit_test(test_stateless),
        cmocka_unit_test(test_token_before_request),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_validation),
        cmocka_unit_test(test_validation_words),
        cmocka_unit_test(test_full_link),
        cmocka_unit_test(test_told_a_second),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_called_off),
        cmocka_unit_test(test_drain_takes_the_queue),
        cmocka_unit_test(test_drain_takes_a_long_queue),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_parent_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
