// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The keeper's end of the link: a responder that strangers have taken over can say anything, in any
 * order, and with or without a descriptor. What reaches the keeper's own parts is what the protocol
 * allows at that point, and after the first word that it does not allow nothing does.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "../base/records.h"
#include "../base/require.h"
#include "keeper/child.h"
#include "wicket/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a record does: its low bits are a type of message, 0 is a packet as it stands. */
#define WITH_DESCRIPTOR 0x80
#define DIES            0x7f
#define IS_TOLD         0x7e

struct world {
    struct child child;
    int epoll, other;
    int responder, process; /* of the responder there is: its end of the link, what tells its end */
    bool up, broken;
};

/* Where spawn_responder below finds it. */
static struct world *world_now;

/* Instead of spawn.c's: nobody is started, a descriptor that becomes readable stands for the
 * process. It is no pidfd: nothing can be killed by it. */
int spawn_responder(const struct spawn_plan *plan, int *out_link, int *out_process,
                    struct error *error)
{
    int link[2];

    (void)plan;
    (void)error;
    if (world_now->responder >= 0)
        close(world_now->responder);
    require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, link) == 0);
    *out_link = link[0];
    world_now->responder = link[1];
    world_now->process = *out_process = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return 0;
}

static void on_up(void *owner)
{
    struct world *world = owner;
    require(!world->up && !world->broken);
    world->up = true;
}

static void on_down(void *owner)
{
    struct world *world = owner;
    require(world->up);
    world->up = false;
}

static void on_pong(void *owner, const struct link_pong *pong)
{
    const struct world *world = owner;
    require(world->up && pong->passing <= pong->connections);
}

static void on_validation(void *owner, const struct link_validation *validation)
{
    const struct world *world = owner;
    require(world->up && challenge_is_token(validation->token, strlen(validation->token)));
    require(validation->family == AF_INET || validation->family == AF_INET6);
}

static void on_drained(void *owner, uint64_t sequence)
{
    const struct world *world = owner;
    require(world->up && sequence != 0);
}

static void on_pass(void *owner, uint64_t id, int fd)
{
    const struct world *world = owner;
    require(world->up && id != 0 && fd >= 0);
    close(fd);
}

static void on_crowded(void *owner)
{
    const struct world *world = owner;
    require(world->up);
}

static void on_broken(void *owner, const struct error *error)
{
    struct world *world = owner;
    require(!world->broken && error->text[0] != '\0');
    world->broken = true;
}

static const struct child_handlers handlers = {
    .up = on_up,
    .down = on_down,
    .pong = on_pong,
    .validation = on_validation,
    .drained = on_drained,
    .pass = on_pass,
    .crowded = on_crowded,
    .broken = on_broken,
};

static void world_init(struct world *world)
{
    static const struct link_setup setup = {.listeners = 1,
                                            .uid = 1,
                                            .gid = 1,
                                            .undecided = 1,
                                            .undecided_per_address = 1,
                                            .first_byte_ms = 1,
                                            .deadline_ms = 1};
    struct spawn_plan plan = {.log_fd = log_fd()};
    struct error error;

    *world = (struct world){.responder = -1};
    world_now = world;
    world->epoll = epoll_create1(EPOLL_CLOEXEC);
    world->other = open("/dev/null", O_RDWR | O_CLOEXEC);
    require(world->epoll >= 0 && world->other >= 0);
    child_init(&world->child, world->epoll, &plan, &setup, &handlers, world);
    require(child_start(&world->child, event_now_ms(), &error) == 0);
}

static void world_deinit(struct world *world)
{
    child_stop(&world->child);
    require(world->child.state == CHILD_DOWN && world->child.waiting == NULL);
    close(world->responder);
    close(world->other);
    close(world->epoll);
}

/* What the responder is told has to be good, and what it carries is its own. */
static void read_all(const struct world *world)
{
    union link_message message;
    struct error error;
    ssize_t length;
    int fd;

    while ((length = link_receive(world->responder, &message, &fd)) > 0) {
        require(link_message_check(&message, (size_t)length, &error) == 0);
        require(message.header.type < LINK_READY);
        require((fd >= 0) == link_message_carries(&message));
        if (fd >= 0)
            close(fd);
    }
}

static void be_told(struct world *world, const struct record *record)
{
    union link_message message;
    bool carries = record->what & WITH_DESCRIPTOR;

    link_message_init(&message, carries ? LINK_PASSED : LINK_PING);
    if (carries) {
        message.passed.id = 1;
        message.passed.connected = 1;
    }
    /* More than fits into the socket, when the responder does not read. */
    for (size_t i = 0; i < record->length; i++)
        child_send_descriptor(&world->child, &message,
                              carries ? fcntl(world->other, F_DUPFD_CLOEXEC, 0) : -1);
    if (record->length % 2 == 0)
        read_all(world);
}

static void say(struct world *world, const struct record *record)
{
    int fd = record->what & WITH_DESCRIPTOR ? world->other : -1;
    uint16_t type = record->what & 0x7f;
    size_t length = link_message_length(type);
    union link_message message;

    if (length == 0) {
        record_send(world->responder, record->bytes, record->length, fd);
        return;
    }
    link_message_init(&message, (enum link_type)type);
    record_fill(record, &message, sizeof(message.header), length);
    record_send(world->responder, &message, length, fd);
}

static void die(const struct world *world)
{
    const uint64_t one = 1;

    if (world->child.process.fd >= 0)
        require(write(world->process, &one, sizeof(one)) == sizeof(one));
}

/* All that is due, without waiting. */
static void world_round(struct world *world)
{
    struct pollfd ready = {.fd = world->epoll, .events = POLLIN};

    for (int i = 0; i < 8 && poll(&ready, 1, 0) > 0; i++)
        require(event_wait(world->epoll));
    child_tick(&world->child, event_now_ms());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct records records = {data, size};
    struct record record;
    struct world world;
    static int log = -1;

    if (log < 0)
        log_init(log = open("/dev/null", O_WRONLY | O_CLOEXEC), "fuzz", 1);
    world_init(&world);
    while (!world.broken && records_next(&records, &record)) {
        if ((record.what & 0x7f) == DIES)
            die(&world);
        else if ((record.what & 0x7f) == IS_TOLD)
            be_told(&world, &record);
        else
            say(&world, &record);
        world_round(&world);
    }
    require(!world.broken || !world.up);
    read_all(&world);
    world_deinit(&world);
    return 0;
}
