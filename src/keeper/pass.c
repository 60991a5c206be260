// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/pass.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>
#include <utlist.h>

#include "keeper/descriptor.h"
#include "keeper/keeper.h"
#include "keeper/pass_tuple.h"
#include "wicket/log.h"

/* One visitor on the way, within a round. */
struct attempt {
    uint64_t id;
    struct pass_visitor visitor;
    unsigned int next; /* the source to try next */
    int fd;            /* the upstream socket, bound; -1 */
    bool loopback;
    bool done;
    struct redirect_relay relay;
};

void pass_init(struct pass *pass)
{
    *pass = (struct pass){
        .gone_due_ms = UINT64_MAX,
        .log_limit = {.about = "visitors who cannot be passed on"},
        .tuples_fd = pass_tuple_open(),
    };
    pass_sources_init(&pass->sources);
}

/* --- elements --- */

/* In the next batch. */
static void let_go(struct keeper *keeper, const struct redirect_relay *relay, uint64_t now_ms)
{
    struct pass *pass = &keeper->pass;

    if (pass->gone_count == PASS_GONE_MAX) /* it goes by itself */
        return;
    pass->gone[pass->gone_count++] = *relay;
    if (pass->gone_due_ms == UINT64_MAX)
        pass->gone_due_ms = now_ms + PASS_GONE_MS;
}

/* One by one: one that is gone already keeps the others from going. */
static void remove_singly(struct keeper *keeper)
{
    struct pass *pass = &keeper->pass;
    struct error error;

    for (size_t i = 0; i < pass->gone_count; i++)
        if (redirect_relay(keeper->redirect, NULL, 0, &pass->gone[i], 1, &error) < 0)
            log_debug("%s", error.text);
}

/* The elements of the attempts, and away with those that are to go. Returns 0; EX_DATAERR when one
 * of them cannot be, which leaves everything as it was but for those that were to go; or another
 * exit code. */
static int change_elements(struct keeper *keeper, const struct redirect_relay *add, size_t count,
                           struct error *error)
{
    struct pass *pass = &keeper->pass;
    int outcome = redirect_relay(keeper->redirect, add, count, pass->gone, pass->gone_count, error);

    if (outcome < 0 && error->exit_code == EX_DATAERR && pass->gone_count > 0) {
        remove_singly(keeper);
        outcome = redirect_relay(keeper->redirect, add, count, NULL, 0, error);
    }
    pass->gone_count = 0;
    pass->gone_due_ms = UINT64_MAX;
    return outcome < 0 ? error->exit_code : 0;
}

/* --- answers --- */

static void answer(struct keeper *keeper, uint64_t id, int fd, int failure, bool connected)
{
    union link_message message;

    link_message_init(&message, LINK_PASSED);
    message.passed.id = id;
    message.passed.failure = (uint32_t)failure;
    message.passed.connected = connected;
    child_send_descriptor(&keeper->child, &message, fd);
}

static void fail(struct keeper *keeper, struct attempt *attempt, int failure)
{
    if (attempt->fd >= 0)
        close(attempt->fd); /* ours alone */
    attempt->fd = -1;
    attempt->done = true;
    answer(keeper, attempt->id, -1, failure != 0 ? failure : EIO, false);
}

static bool set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* --- those who are still connecting --- */

static void connect_end(struct pass_connect *connect, uint64_t now_ms)
{
    struct keeper *keeper = connect->keeper;
    struct pass *pass = &keeper->pass;

    event_remove(keeper->epoll_fd, &connect->source);
    descriptor_discard(connect->fd);
    let_go(keeper, &connect->relay, now_ms);
    DL_DELETE(pass->connecting, connect);
    pass->connecting_count--;
    LL_PREPEND(pass->dead, connect);
}

static void connect_ready(void *owner, uint32_t events)
{
    (void)events;
    connect_end(owner, event_now_ms());
}

/* Ends them, also for the responder, which has the other copy: it hears of a reset. */
void pass_abort(struct keeper *keeper)
{
    struct pass_connect *connect, *next;

    DL_FOREACH_SAFE(keeper->pass.connecting, connect, next)
    {
        (void)shutdown(connect->fd, SHUT_RDWR);
        connect_end(connect, event_now_ms());
    }
}

static void dead_free(struct pass *pass)
{
    while (pass->dead != NULL) {
        struct pass_connect *connect = pass->dead;
        pass->dead = connect->next;
        free(connect);
    }
}

/* The element has to stay until the connect is over. */
static bool watch(struct keeper *keeper, const struct attempt *attempt, uint64_t now_ms)
{
    struct pass *pass = &keeper->pass;
    struct pass_connect *connect =
        pass->connecting_count < PASS_CONNECTING_MAX ? calloc(1, sizeof(*connect)) : NULL;
    int copy = connect == NULL || !set_option(attempt->fd, IPPROTO_TCP, TCP_SYNCNT, PASS_SYNS)
                   ? -1
                   : fcntl(attempt->fd, F_DUPFD_CLOEXEC, 0);

    if (copy < 0) {
        free(connect);
        return false;
    }
    connect->source = (struct event_source){copy, connect_ready, connect};
    connect->fd = copy;
    connect->keeper = keeper;
    connect->relay = attempt->relay;
    connect->loopback = attempt->loopback;
    connect->began_ms = now_ms;
    if (!event_add(keeper->epoll_fd, &connect->source, EPOLLOUT)) {
        close(copy);
        free(connect);
        return false;
    }
    DL_APPEND(pass->connecting, connect);
    pass->connecting_count++;
    return true;
}

/* --- one visitor --- */

/* What is in TIME_WAIT can be connected from again only where it is a loopback address: elsewhere
 * bind is to tell. Once bound, no socket is to be in the way of a server that starts. */
static bool bind_to(int fd, const union address *source)
{
    bool again = address_is_loopback(source);

    return set_option(fd, SOL_SOCKET, SO_REUSEADDR, again) &&
           bind(fd, &source->any, address_length(source)) == 0 &&
           (again || set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1));
}

/* Whether production may have a connection of the visitor's with this port, which is not the one
 * that it came with: that one is its own. */
static bool is_in_use(const struct pass *pass, const struct pass_visitor *visitor, uint16_t port)
{
    union address from = visitor->from;

    if (port == address_port(&from))
        return false;
    address_set_port(&from, port);
    return pass_tuple_exists(pass->tuples_fd, &visitor->to, &from);
}

/* Returns 0 or an errno. */
static int bind_upstream(struct pass *pass, struct attempt *attempt, uint64_t now_ms)
{
    union address source;

    int fd = socket(attempt->visitor.to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    IPPROTO_TCP);
    if (fd < 0)
        return errno;
    while (attempt->next < PASS_SOURCE_TRIES) {
        if (!pass_sources_find(&pass->sources, &attempt->visitor, attempt->next++, now_ms,
                               &source) ||
            is_in_use(pass, &attempt->visitor, address_port(&source)) || !bind_to(fd, &source))
            continue;
        if (!set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) ||
            !set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1) ||
            !set_option(fd, SOL_SOCKET, SO_PRIORITY, REDIRECT_PRIORITY))
            break;

        size_t length;
        const void *bytes = address_bytes(&source, &length);
        attempt->relay =
            (struct redirect_relay){.family = source.any.sa_family, .port = address_port(&source)};
        memcpy(attempt->relay.source, bytes, length);
        memcpy(attempt->relay.visitor, address_bytes(&attempt->visitor.from, &length), length);
        attempt->loopback = address_is_loopback(&source);
        attempt->fd = fd;
        return 0;
    }
    close(fd);
    return EADDRNOTAVAIL;
}

static uint8_t tcp_state(int fd)
{
    uint8_t state = TCP_CLOSE; /* the first member of struct tcp_info */
    socklen_t length = sizeof(state);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &length) == 0 ? state : TCP_CLOSE;
}

static int socket_error(int fd)
{
    int number = 0;
    socklen_t length = sizeof(number);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &length) == 0 ? number : errno;
}

static void finish(struct keeper *keeper, struct attempt *attempt, bool connected)
{
    attempt->done = true;
    answer(keeper, attempt->id, attempt->fd, 0, connected);
    attempt->fd = -1;
}

/* The element is there. On this host a connect is over when it returns. */
static void connect_upstream(struct keeper *keeper, struct attempt *attempt, uint64_t now_ms)
{
    const union address *to = &attempt->visitor.to;
    int failed = connect(attempt->fd, &to->any, address_length(to));

    if (failed && errno == EADDRNOTAVAIL) {
        /* An older connection of the same addresses and ports is not over: another source. */
        close(attempt->fd);
        attempt->fd = -1;
        let_go(keeper, &attempt->relay, now_ms);
        return;
    }
    if (failed && errno != EINPROGRESS) {
        int reason = errno;
        let_go(keeper, &attempt->relay, now_ms);
        fail(keeper, attempt, reason);
        return;
    }
    uint8_t state = tcp_state(attempt->fd);
    if (state == TCP_SYN_SENT && watch(keeper, attempt, now_ms)) {
        finish(keeper, attempt, false);
        return;
    }
    let_go(keeper, &attempt->relay, now_ms);
    if (state == TCP_SYN_SENT)
        fail(keeper, attempt, EMFILE);
    else if (state == TCP_CLOSE)
        fail(keeper, attempt, socket_error(attempt->fd));
    else
        finish(keeper, attempt, true);
}

/* --- all of a round --- */

static void begin(struct keeper *keeper, struct attempt *attempt,
                  const struct pass_request *request)
{
    *attempt = (struct attempt){.id = request->id, .fd = -1};
    int failure = keeper->config->other_requests == CONFIG_OTHER_PASS
                      ? pass_visitor_read(&attempt->visitor, request->fd, keeper->config)
                      : EOPNOTSUPP;

    descriptor_discard(request->fd);
    if (failure == 0)
        return;
    if (failure != ENOTCONN && log_limit_take(&keeper->pass.log_limit, event_now_ms()))
        log_warnx("a visitor cannot be passed on: %s",
                  failure == EPERM ? "it is this host itself" : strerror(failure));
    fail(keeper, attempt, failure);
}

/* The kernel does not take the elements: nobody can be passed. */
static void give_up(struct keeper *keeper, struct attempt *attempts, size_t count,
                    const struct error *error, uint64_t now_ms)
{
    for (size_t i = 0; i < count; i++)
        if (!attempts[i].done)
            fail(keeper, &attempts[i], EIO);
    keeper_trouble(keeper, "visitors cannot be passed on: %s", error->text);
    window_lease_refused(&keeper->window, now_ms, WINDOW_HOLD_KERNEL);
}

/* Those with a socket get their elements; one whose element is there already loses its socket, and
 * tries another. */
static bool map(struct keeper *keeper, struct attempt *attempts, size_t count, struct error *error)
{
    struct redirect_relay add[PASS_A_ROUND];
    size_t adds = 0;

    for (size_t i = 0; i < count; i++)
        if (attempts[i].fd >= 0)
            add[adds++] = attempts[i].relay;
    if (adds == 0)
        return true;
    int outcome = change_elements(keeper, add, adds, error);
    if (outcome != EX_DATAERR)
        return outcome == 0;

    for (size_t i = 0; i < count; i++) {
        if (attempts[i].fd < 0)
            continue;
        outcome = change_elements(keeper, &attempts[i].relay, 1, error);
        if (outcome == 0)
            continue;
        close(attempts[i].fd);
        attempts[i].fd = -1;
        if (outcome != EX_DATAERR)
            return false;
    }
    return true;
}

/* Tries one source for each that has none that works. False: nobody is left. */
static bool bind_all(struct keeper *keeper, struct attempt *attempts, size_t count, uint64_t now_ms)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        if (attempts[i].done)
            continue;
        int failure = bind_upstream(&keeper->pass, &attempts[i], now_ms);
        if (failure == 0) {
            any = true;
            continue;
        }
        if (log_limit_take(&keeper->pass.log_limit, now_ms))
            log_warnx("a visitor cannot be passed on: no address and port for it: %s",
                      strerror(failure));
        fail(keeper, &attempts[i], failure);
    }
    return any;
}

static void run_requests(struct keeper *keeper, uint64_t now_ms)
{
    struct pass *pass = &keeper->pass;
    struct attempt attempts[PASS_A_ROUND];
    size_t count = pass->request_count;
    struct error error;

    pass->request_count = 0;
    for (size_t i = 0; i < count; i++)
        begin(keeper, &attempts[i], &pass->requests[i]);
    while (bind_all(keeper, attempts, count, now_ms)) {
        if (!map(keeper, attempts, count, &error)) {
            give_up(keeper, attempts, count, &error, now_ms);
            return;
        }
        for (size_t i = 0; i < count; i++)
            if (!attempts[i].done && attempts[i].fd >= 0)
                connect_upstream(keeper, &attempts[i], now_ms);
    }
}

/* Loopback addresses go nowhere where somebody has begun to send connections elsewhere. */
static void note_stalled(struct pass *pass, uint64_t now_ms)
{
    struct pass_connect *connect;

    DL_FOREACH(pass->connecting, connect)
    {
        if (now_ms < connect->began_ms + PASS_STALL_MS)
            break;
        if (connect->loopback && !connect->stalled)
            pass_sources_distrust(&pass->sources, (sa_family_t)connect->relay.family, now_ms);
        connect->stalled = true;
    }
}

void pass_ask(struct keeper *keeper, uint64_t id, int fd)
{
    struct pass *pass = &keeper->pass;

    if (fd < 0) {
        answer(keeper, id, -1, EMFILE, false);
        return;
    }
    if (pass->request_count == PASS_A_ROUND)
        run_requests(keeper, event_now_ms());
    pass->requests[pass->request_count++] = (struct pass_request){id, fd};
}

void pass_run(struct keeper *keeper, uint64_t now_ms)
{
    struct pass *pass = &keeper->pass;
    struct error error;

    dead_free(pass);
    log_limit_tick(&pass->log_limit, now_ms);
    note_stalled(pass, now_ms);
    if (pass->request_count > 0)
        run_requests(keeper, now_ms);
    if (pass->gone_count >= PASS_GONE_MAX / 2 || now_ms >= pass->gone_due_ms)
        if (change_elements(keeper, NULL, 0, &error) != 0)
            log_debug("%s", error.text);
}

uint64_t pass_next_ms(const struct pass *pass)
{
    const struct pass_connect *connect = pass->connecting;
    uint64_t next_ms = pass->gone_due_ms;

    while (connect != NULL && connect->stalled)
        connect = connect->next;
    if (connect != NULL && connect->began_ms + PASS_STALL_MS < next_ms)
        next_ms = connect->began_ms + PASS_STALL_MS;
    uint64_t told_ms = log_limit_next_ms(&pass->log_limit);
    return told_ms < next_ms ? told_ms : next_ms;
}

void pass_forget(struct keeper *keeper)
{
    struct pass *pass = &keeper->pass;

    while (pass->request_count > 0)
        descriptor_discard(pass->requests[--pass->request_count].fd);
    pass_abort(keeper);
}

void pass_deinit(struct keeper *keeper)
{
    pass_forget(keeper);
    dead_free(&keeper->pass);
    if (keeper->pass.tuples_fd >= 0)
        close(keeper->pass.tuples_fd);
    keeper->pass.tuples_fd = -1;
}

const char *pass_look(struct pass *pass, const struct redirect_counters *counters)
{
    uint64_t closed = redirect_count_sum(counters).closed;
    bool is_closed = closed != pass->closed_seen;
    bool is_looped = counters->looped != pass->looped_seen;

    pass->closed_seen = closed;
    pass->looped_seen = counters->looped;
    pass_sources_note(&pass->sources, counters);
    if (is_looped)
        return "a DNAT of this host's own connections sends them back to the responder (look for "
               "its port in: nft list ruleset); remove it, or set other_requests to not-found";
    if (is_closed)
        return "production would take them for this host itself; connection tracking is off for lo "
               "(look for notrack in: nft list ruleset), or another NAT comes first; leave lo out "
               "of it, or set other_requests to not-found";
    return NULL;
}

bool pass_relays(const struct pass *pass, struct redirect_relay **out, size_t *count)
{
    const struct pass_connect *connect;

    *count = 0;
    *out = calloc(pass->connecting_count + 1, sizeof(**out));
    if (*out == NULL)
        return false;
    DL_FOREACH(pass->connecting, connect)
    (*out)[(*count)++] = connect->relay;
    return true;
}

void pass_table_replaced(struct keeper *keeper, bool kept)
{
    struct pass *pass = &keeper->pass;

    if (!kept)
        pass_abort(keeper);
    pass->gone_count = 0;
    pass->gone_due_ms = UINT64_MAX;
    pass->closed_seen = pass->looped_seen = 0;
    pass_sources_note(&pass->sources, &(struct redirect_counters){0});
}
