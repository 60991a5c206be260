// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "cli/deadline.h"
#include "cli/fetch.h"
#include "cli/publish.h"
#include "fake.h"
#include "wicket/log.h"

/* A web server behind a probe, and the keeper that hands its socket over. */

#define THUMBPRINT "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
#define TOKEN      "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
#define GOOD \
    "HTTP/1.1 200 OK\r\nContent-Length: 87\r\nConnection: close\r\n\r\n" TOKEN "." THUMBPRINT
#define WRONG   "HTTP/1.1 200 OK\r\n\r\nhello\x1b[2J"
#define MISSING "HTTP/1.1 404 Not Found\r\nServer: Apache/2.4\r\n\r\n"

static void make_challenge(struct challenge *challenge)
{
    struct error error;
    static const char text[] = TOKEN "." THUMBPRINT;
    assert_int_equal(challenge_parse(challenge, text, sizeof text - 1, &error), 0);
}

/* Sends `answer` (NULL: never) and half closes; the rest of the pair is the client's. */
static int web_answer(const char *answer, int *server)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        abort();
    if (answer != NULL) {
        if (send(pair[1], answer, strlen(answer), MSG_NOSIGNAL) < 0)
            abort();
        shutdown(pair[1], SHUT_WR);
    }
    *server = pair[1];
    return pair[0];
}

static void test_fetch(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        const char *reason; /* NULL: good */
    } rows[] = {
        {GOOD, NULL},
        {MISSING, "404 from Server: \"Apache/2.4\""},
        {"HTTP/1.1 503 Busy\r\n\r\n", "503 from Server: \"\""},
        {WRONG, "200 with another body: \"hello\\x1b[2J\""},
        {"HTTP/1.1 200 OK\r\n\r\n" TOKEN "." THUMBPRINT "\n", "200 with another body: "},
        {"", "no answer: the connection was closed"},
        {"SSH-2.0\r\n", "not the answer to a challenge: \"SSH-2.0\\x0d\\x0a\""},
        {NULL, "timed out waiting for the answer"},
    };
    struct challenge challenge;
    make_challenge(&challenge);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int server;
        const int fd = web_answer(rows[i].answer, &server);
        char reason[256] = "";
        const bool good = fetch_challenge(
            fd, "192.0.2.1", &challenge, rows[i].answer == NULL ? 50 : 5000, reason, sizeof reason);
        assert_int_equal(good, rows[i].reason == NULL);
        if (rows[i].reason != NULL)
            assert_memory_equal(reason, rows[i].reason, strlen(rows[i].reason));
        char request[512] = "";
        assert_true(recv(server, request, sizeof request - 1, 0) > 0);
        assert_string_equal(request, "GET /.well-known/acme-challenge/" TOKEN " HTTP/1.1\r\n"
                                     "Host: 192.0.2.1\r\n"
                                     "User-Agent: wicket\r\n"
                                     "Connection: close\r\n\r\n");
        close(server);
        close(fd);
    }
}

/* A real refusal: a port that was bound and never listened to. */
static int refused_socket(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    const int holder = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (holder < 0 || fd < 0 || bind(holder, (struct sockaddr *)&address, length) < 0 ||
        getsockname(holder, (struct sockaddr *)&address, &length) < 0)
        abort();
    /* May fail at once or later, as the kernel likes. */
    if (connect(fd, (struct sockaddr *)&address, length) == 0)
        abort();
    close(holder);
    return fd;
}

static void test_refused(void **state)
{
    (void)state;
    struct challenge challenge;
    make_challenge(&challenge);
    char reason[256];
    const int fd = refused_socket();
    assert_false(fetch_challenge(fd, "127.0.0.1", &challenge, 5000, reason, sizeof reason));
    assert_string_equal(reason, "connection refused");
    close(fd);
}

/* What the keeper of a case does. */
struct plan {
    const char *v4; /* the answer; NULL: the host has no such address */
    const char *v6;
    const char *loopback4; /* for hosts without any */
    int probe_exit;        /* not 0: the result of a probe of IPv4 */
    int settle_exit;
    bool mute; /* the first connection gets no answer to CONTROL_ADD */
    int add_exit;
    /* what happened */
    int adds, removes, settles, probes;
    int servers[4]; /* the web servers' ends, open until the client has gone */
    int server_count;
};

static void answer_probe(struct plan *plan, int client, const struct control_probe *probe)
{
    union control_message message;
    control_message_init(&message, CONTROL_SOCKET);
    const bool v4 = probe->family == AF_INET;
    const char *answer =
        probe->loopback != 0 ? (v4 ? plan->loopback4 : NULL) : (v4 ? plan->v4 : plan->v6);
    int fd = -1;
    int server = -1;
    if (answer != NULL) {
        fd = web_answer(answer, &server);
        message.socket.family = probe->family;
        message.socket.port = 80;
        strcpy(message.socket.address, v4 ? "192.0.2.1" : "2001:db8::1");
    }
    control_send(client, &message, fd);
    fake_result(client, 0, "");
    if (fd >= 0) {
        close(fd);
        plan->servers[plan->server_count++] = server;
    }
}

static void follow_plan(struct fake *fake, int client, int number)
{
    struct plan *plan = fake->context;
    fake_greet(client, fake->settings.config.path);
    union control_message request;
    for (;;) {
        switch (fake_next(client, &request)) {
        case 0:
            return;
        case CONTROL_ADD:
            plan->adds += strcmp(request.add.key_authorization, TOKEN "." THUMBPRINT) == 0;
            if (plan->mute && number == 0) {
                send(client, "nonsense", 8, MSG_NOSIGNAL); /* so that it is given up at once */
                break;
            }
            fake_result(client, plan->add_exit, plan->add_exit != 0 ? "refused" : "");
            break;
        case CONTROL_REMOVE:
            plan->removes += strcmp(request.remove.token, TOKEN) == 0;
            fake_result(client, 0, "");
            break;
        case CONTROL_SETTLE:
            plan->settles++;
            fake_result(client, plan->settle_exit, plan->settle_exit != 0 ? "a firewall" : "");
            break;
        case CONTROL_PROBE:
            plan->probes++;
            if (plan->probe_exit != 0 && request.probe.family == AF_INET)
                fake_result(client, plan->probe_exit, "no port left");
            else
                answer_probe(plan, client, &request.probe);
            break;
        default:
            abort();
        }
    }
}

/* Publishes with that keeper; what was logged is in `logged`. */
static int publish_with(struct plan *plan, struct error *error, char *logged, size_t capacity)
{
    struct publication one = {.purpose = "test"};
    make_challenge(&one.challenge);
    int log[2];
    assert_int_equal(pipe(log), 0);
    log_init(log[1], "test", 0);
    struct fake fake;
    fake_start(&fake, follow_plan, plan);
    struct connection connection = CONNECTION_CLOSED;
    bool running;
    *error = (struct error){0};
    assert_int_equal(
        connection_find(&connection, &fake.settings, deadline_in(5000), &running, error), 0);
    const int result = publish(&connection, &fake.settings, &one, 1, NULL, error);
    connection_close(&connection);
    fake_stop(&fake);
    while (plan->server_count > 0)
        close(plan->servers[--plan->server_count]);
    log_init(STDERR_FILENO, "test", 0);
    close(log[1]);
    const ssize_t got = read(log[0], logged, capacity - 1);
    logged[got > 0 ? got : 0] = '\0';
    close(log[0]);
    return result;
}

static void test_publish(void **state)
{
    (void)state;
    static const struct {
        struct plan plan;
        int exit_code; /* 0: published */
        int removes, probes, settles;
        const char *text; /* in the error or, when published, in the log; NULL: nothing logged */
    } rows[] = {
        {{.v4 = GOOD, .v6 = GOOD}, 0, 0, 2, 1, NULL},
        {{.v4 = GOOD}, 0, 0, 2, 1, NULL},
        {{.v6 = GOOD}, 0, 0, 2, 1, NULL},
        {{.loopback4 = GOOD}, 0, 0, 3, 1, NULL},
        {{.v4 = GOOD, .v6 = MISSING},
         0,
         0,
         2,
         1,
         "IPv6 ([2001:db8::1]): 404 from Server: \"Apache/2.4\""},
        {{.v4 = WRONG, .v6 = GOOD}, 0, 0, 2, 1, "IPv4 (192.0.2.1): 200 with another body"},
        {{.v6 = GOOD, .probe_exit = 75}, 0, 0, 2, 1, "IPv4 (no connection): no port left"},
        {{.v4 = MISSING, .v6 = WRONG},
         EX_TEMPFAIL,
         1,
         2,
         0,
         "IPv4 (192.0.2.1): 404 from Server: \"Apache/2.4\"; IPv6 ([2001:db8::1]): 200"},
        {{.v4 = MISSING}, EX_TEMPFAIL, 1, 2, 0, "404"},
        {{.v4 = GOOD, .mute = true}, EX_SOFTWARE, 1, 0, 0, "the keeper's answer is wrong"},
        {{.loopback4 = MISSING}, EX_TEMPFAIL, 1, 4, 0, "404"},
        {{0}, EX_TEMPFAIL, 1, 4, 0, "no address"},
        {{.v4 = GOOD, .settle_exit = EX_TEMPFAIL}, EX_TEMPFAIL, 1, 2, 1, "a firewall"},
        {{.add_exit = EX_NOPERM}, EX_NOPERM, 0, 0, 0, "refused"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct plan plan = rows[i].plan;
        struct error error;
        char logged[2048];
        const int result = publish_with(&plan, &error, logged, sizeof logged);
        if (result != (rows[i].exit_code == 0 ? 0 : -1))
            fail_msg("row %zu: %s", i, error.text);
        if (result < 0)
            assert_int_equal(error.exit_code, rows[i].exit_code);
        assert_int_equal(plan.adds, 1);
        assert_int_equal(plan.removes, rows[i].removes);
        assert_int_equal(plan.probes, rows[i].probes);
        assert_int_equal(plan.settles, rows[i].settles);
        const char *said = rows[i].exit_code == 0 ? logged : error.text;
        if (rows[i].text == NULL)
            assert_string_equal(logged, "");
        else if (strstr(said, rows[i].text) == NULL)
            fail_msg("row %zu says: %s", i, said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fetch),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_publish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
