// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The keeper's end of the control socket: a few peers at once say whatever they like, good requests
 * and bad ones, come and go, while the responder does too. Everything of the keeper is the real
 * thing but the kernel's table. Every answer is a good message, a request has exactly one result,
 * and what the peers' going leaves behind is only what they have asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/un.h>

#include "../base/records.h"
#include "../base/require.h"
#include "keeper/keeper.h"
#include "keeper/settle.h"
#include "wicket/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a record does: below 16 something happens, else a peer, in the two low bits, sends the
 * packet as it stands or, with more of them, a request that the rest fills. */
enum {
    PEER_GOES,
    RESPONDER_DIES,
    RESPONDER_COMES,
    KERNEL_REFUSES,
    KERNEL_AGREES,
    STOP,
    HAPPENINGS
};
#define SAYS      16
#define PEERS     4
#define TYPE(one) ((one) >> 2)

struct client {
    int fd; /* -1: not connected */
    unsigned int asked, results;
};

struct world {
    struct keeper keeper;
    struct config config;
    struct service service;
    struct client clients[PEERS];
    bool kernel_refuses;
};

static struct world *world_now;

/* --- instead of the kernel's table --- */

static int answer(struct error *error)
{
    return world_now->kernel_refuses ? error_set(error, 75, "the kernel refuses") : 0;
}

int redirect_create(struct redirect **out, const struct config *config, bool without_owner,
                    struct error *error)
{
    (void)config;
    (void)without_owner;
    *out = NULL;
    return answer(error);
}

void redirect_destroy(struct redirect *redirect)
{
    (void)redirect;
}

int redirect_install(struct redirect *redirect, struct error *error)
{
    (void)redirect;
    return answer(error);
}

int redirect_replace(struct redirect *redirect, const struct config *fresh, uint64_t lease_left_ms,
                     const struct redirect_relay *relays, size_t relay_count, struct error *error)
{
    (void)redirect;
    (void)fresh;
    (void)lease_left_ms;
    (void)relays;
    (void)relay_count;
    return answer(error);
}

int redirect_owner_fd(const struct redirect *redirect)
{
    (void)redirect;
    return -1;
}

bool redirect_is_owned(const struct redirect *redirect)
{
    (void)redirect;
    return true;
}

int redirect_arm(struct redirect *redirect, struct error *error)
{
    (void)redirect;
    return answer(error);
}

int redirect_shut(struct redirect *redirect, struct error *error)
{
    (void)redirect;
    return answer(error);
}

int redirect_admit(struct redirect *redirect, bool *changed, struct error *error)
{
    (void)redirect;
    *changed = false;
    return answer(error);
}

int redirect_sweep(struct redirect *redirect, size_t *swept, struct error *error)
{
    (void)redirect;
    *swept = 0;
    return answer(error);
}

uint32_t redirect_port(const struct redirect *redirect)
{
    (void)redirect;
    return 0;
}

const char *redirect_overruled(const struct redirect *redirect)
{
    (void)redirect;
    return "";
}

/* Refused always: nobody is to connect to anything. */
int redirect_probe(struct redirect *redirect, uint16_t source_port, uint64_t timeout_ms,
                   struct error *error)
{
    (void)redirect;
    (void)source_port;
    (void)timeout_ms;
    return error_set(error, 75, "no self-check here");
}

int redirect_relay(struct redirect *redirect, const struct redirect_relay *add, size_t add_count,
                   const struct redirect_relay *remove, size_t remove_count, struct error *error)
{
    (void)redirect;
    (void)add;
    (void)add_count;
    (void)remove;
    (void)remove_count;
    return answer(error);
}

int redirect_read_counters(struct redirect *redirect, struct redirect_counters *out,
                           struct error *error)
{
    (void)redirect;
    *out = (struct redirect_counters){0};
    return answer(error);
}

int redirect_read_connections(struct redirect *redirect, struct redirect_counters *out,
                              struct error *error)
{
    return redirect_read_counters(redirect, out, error);
}

int redirect_open(struct redirect *redirect, struct error *error)
{
    (void)redirect;
    return answer(error);
}

int redirect_remove(struct redirect *redirect, struct error *error)
{
    (void)redirect;
    return answer(error);
}

/* --- the world --- */

static void control_ready(void *owner, uint32_t events)
{
    (void)events;
    peers_accept(owner);
}

/* An address that the kernel makes up, in no file system. */
static int listen_somewhere(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    require(bind(fd, (struct sockaddr *)&address, sizeof(address.sun_family)) == 0);
    require(listen(fd, PEERS) == 0);
    return fd;
}

/* As keeper_init, without what takes privileges, and with no responder to start. */
static void world_init(struct world *world)
{
    static const struct event_source none = {.fd = -1};
    struct keeper *keeper = &world->keeper;
    struct window_options window;

    *world = (struct world){0};
    world_now = world;
    config_init(&world->config);
    /* Where nobody, not even root, can make a directory. */
    snprintf(world->config.tokens.webroot, sizeof(world->config.tokens.webroot), "/proc/webroot");
    service_init(&world->service);
    *keeper = (struct keeper){
        .options = {.service = &world->service, .on_demand = true, .lock_fd = -1},
        .config = &world->config,
        .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
        .lock = {.fd = -1},
        .signals = none,
        .timer = none,
        .null_fd = -1,
        .root_fd = -1,
        .peers = {.spare_fd = -1},
        .look_due_ms = UINT64_MAX,
        .shut_due_ms = UINT64_MAX,
        .shut_reason = "",
        .pressure = {.conntrack_count_fd = -1, .conntrack_max_fd = -1},
        .child = {.link = none,
                  .process = none,
                  .state = CHILD_DOWN,
                  .stopped = true,
                  .due_ms = UINT64_MAX},
    };
    child_log_init(&keeper->child.log, keeper->epoll_fd);
    keeper_window_options(&window, &world->config);
    window_init(&keeper->window, &window);
    tokens_init(&keeper->tokens);
    pass_init(&keeper->pass);
    webroot_init(&keeper->webroot);
    keeper->control = (struct event_source){listen_somewhere(), control_ready, keeper};
    require(event_add(keeper->epoll_fd, &keeper->control, EPOLLIN));
    window_responder_up(&keeper->window, event_now_ms());
    for (size_t i = 0; i < PEERS; i++)
        world->clients[i].fd = -1;
}

/* One message; an answer to the last request, or the greeting. */
static void take(struct client *client, const union control_message *message)
{
    switch (message->header.type) {
    case CONTROL_HELLO:
    case CONTROL_DOCUMENT:
    case CONTROL_SOCKET:
    case CONTROL_REPORT:
        return;
    case CONTROL_RESULT:
        client->results++;
        require(client->results <= client->asked);
        return;
    default:
        abort();
    }
}

static void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    *client = (struct client){.fd = -1};
}

static void client_read(struct client *client)
{
    union control_message message;
    struct error error;
    ssize_t length = -1;
    int fd;

    while (client->fd >= 0 && (length = control_receive(client->fd, &message, &fd)) > 0) {
        require(control_message_check(&message, (size_t)length, &error) == 0);
        require(fd < 0 || message.header.type == CONTROL_SOCKET);
        if (fd >= 0)
            close(fd);
        take(client, &message);
    }
    if (length == 0 || (length < 0 && errno == ECONNRESET))
        client_close(client);
}

/* What happens by itself until nothing more does; the responder answers every ping. */
static void world_round(struct world *world)
{
    struct keeper *keeper = &world->keeper;
    struct pollfd ready = {.fd = keeper->epoll_fd, .events = POLLIN};

    for (int i = 0; i < 8; i++) {
        bool event = poll(&ready, 1, 0) > 0;
        if (event)
            require(event_wait(keeper->epoll_fd));
        keeper_settle(keeper);
        bool answered = keeper->window.responder_ready &&
                        keeper->window.ping_answered != window_ping_sequence(&keeper->window);
        if (answered)
            window_pong(&keeper->window, event_now_ms(), window_ping_sequence(&keeper->window));
        peers_reap(keeper);
        if (!event && !answered)
            break;
    }
    for (size_t i = 0; i < PEERS; i++)
        client_read(&world->clients[i]);
}

static struct client *client_of(struct world *world, uint8_t what)
{
    struct client *client = &world->clients[what % PEERS];
    struct sockaddr_un address = {0};
    socklen_t length = sizeof(address);

    if (client->fd >= 0)
        return client;
    *client =
        (struct client){.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    require(getsockname(world->keeper.control.fd, (struct sockaddr *)&address, &length) == 0);
    require(connect(client->fd, (struct sockaddr *)&address, length) == 0);
    return client;
}

static void say(struct world *world, const struct record *record)
{
    struct client *client = client_of(world, record->what - SAYS);
    uint16_t type = (uint16_t)(CONTROL_ADD - 1 + TYPE(record->what - SAYS));
    size_t length = control_message_length(type);
    union control_message message;

    client->asked++;
    if (type < CONTROL_ADD || length == 0) {
        record_send(client->fd, record->bytes, record->length, -1);
        return;
    }
    control_message_init(&message, (enum control_type)type);
    record_fill(record, &message, sizeof(message.header), length);
    record_send(client->fd, &message, length, -1);
}

static void happen(struct world *world, const struct record *record)
{
    struct window *window = &world->keeper.window;

    switch (record->what % HAPPENINGS) {
    case PEER_GOES:
        client_close(&world->clients[record->length % PEERS]);
        break;
    case RESPONDER_DIES:
        if (window->responder_ready)
            window_responder_down(window, event_now_ms());
        break;
    case RESPONDER_COMES:
        if (!window->responder_ready)
            window_responder_up(window, event_now_ms());
        break;
    case KERNEL_REFUSES:
    case KERNEL_AGREES:
        world->kernel_refuses = record->what % HAPPENINGS == KERNEL_REFUSES;
        break;
    default:
        window_stop(window, event_now_ms());
        break;
    }
}

static void world_deinit(struct world *world)
{
    struct keeper *keeper = &world->keeper;
    size_t connected = 0;

    for (size_t i = 0; i < PEERS; i++)
        connected += world->clients[i].fd >= 0;
    require(keeper->peers.count == connected);
    for (size_t i = 0; i < PEERS; i++)
        client_close(&world->clients[i]);
    world_round(world);
    require(keeper->peers.count == 0);
    for (const struct window_reason *one = keeper->window.reasons; one != NULL; one = one->next)
        require(one->kind != WINDOW_RUN);
    keeper_deinit(keeper);
    config_deinit(&world->config);
    service_deinit(&world->service);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct records records = {data, size};
    static int log = -1;
    static struct world world;
    struct record record;

    if (log < 0)
        log_init(log = open("/dev/null", O_WRONLY | O_CLOEXEC), "fuzz", 1);
    world_init(&world);
    while (records_next(&records, &record)) {
        if (record.what < SAYS)
            happen(&world, &record);
        else
            say(&world, &record);
        world_round(&world);
    }
    world_deinit(&world);
    return 0;
}
