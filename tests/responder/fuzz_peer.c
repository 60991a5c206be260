// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The responder's end of the link: whatever comes from the keeper's end, in any order and with or
 * without a descriptor, is either obeyed or the end of the responder, which says why; and what it
 * says itself is always a good message. Visitors come in between, so that there are questions to
 * answer.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "../base/records.h"
#include "../base/require.h"
#include "responder/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a record does: its low bits are a type of message, 0 is a packet as it stands. */
#define WITH_DESCRIPTOR 0x80
#define VISITOR         0x7f
#define RELAYS_MAX      4

struct world {
    int epoll, keeper, other; /* `other` is the descriptor that goes along */
    struct tokens tokens;
    struct relays relays;
    struct peer peer;
    uint64_t now_ms;
};

static void world_init(struct world *world)
{
    struct error error;
    int link[2];

    *world = (struct world){.now_ms = 1000};
    world->epoll = epoll_create1(EPOLL_CLOEXEC);
    world->other = open("/dev/null", O_RDWR | O_CLOEXEC);
    require(world->epoll >= 0 && world->other >= 0);
    require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) == 0);
    world->keeper = link[0];
    tokens_init(&world->tokens);
    relays_init(&world->relays, world->epoll, RELAYS_MAX, 1);
    require(peer_init(&world->peer, link[1], world->epoll, &world->tokens, &world->relays,
                      &error) == 0);
    world->peer.setup = (struct link_setup){
        .listeners = 1, .uid = 1, .gid = 1, .undecided = 1, .undecided_per_address = 1};
}

static void world_deinit(struct world *world)
{
    relays_deinit(&world->relays);
    peer_deinit(&world->peer);
    tokens_deinit(&world->tokens);
    close(world->keeper);
    close(world->other);
    close(world->epoll);
}

static void visitor_comes(struct world *world)
{
    int ends[2];

    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    record_send(ends[0], "GET / HTTP/1.1\r\n\r\n", 18, -1);
    close(ends[0]);
    relays_add(&world->relays, ends[1], false, world->now_ms);
}

static void say(struct world *world, const struct record *record)
{
    int fd = record->what & WITH_DESCRIPTOR ? world->other : -1;
    uint16_t type = record->what & 0x7f;
    union link_message message;
    size_t length = link_message_length(type);

    if (length == 0) {
        record_send(world->keeper, record->bytes, record->length, fd);
        return;
    }
    link_message_init(&message, (enum link_type)type);
    record_fill(record, &message, sizeof(message.header), length);
    record_send(world->keeper, &message, length, fd);
}

/* What came from the responder. */
static void listen_to(const struct world *world)
{
    union link_message message;
    struct error error;
    ssize_t length;
    int fd;

    (void)fcntl(world->keeper, F_SETFL, O_NONBLOCK);
    while ((length = link_receive(world->keeper, &message, &fd)) > 0) {
        require(link_message_check(&message, (size_t)length, &error) == 0);
        require(message.header.type >= LINK_READY);
        require((fd >= 0) == link_message_carries(&message));
        if (fd >= 0)
            close(fd);
    }
}

/* As responder_round. */
static enum peer_state world_round(struct world *world, struct error *error)
{
    struct epoll_event events[16];
    int count = epoll_wait(world->epoll, events, 16, 0);
    bool sent = false;

    for (int i = 0; i < count; i++) {
        if (*(const enum source *)events[i].data.ptr == SOURCE_RELAY)
            relays_event(&world->relays, events[i].data.ptr, events[i].events, world->now_ms);
    }
    relays_expire(&world->relays, world->now_ms);
    bool any = false;
    enum peer_state state = peer_receive(&world->peer, world->now_ms, &any, error);
    if (state == PEER_OPEN && peer_is_waiting(&world->peer)) {
        struct link_pong pong = {.connections = (uint32_t)world->relays.count,
                                 .passing = (uint32_t)world->relays.count};
        state = peer_flush(&world->peer, &pong, &sent, world->now_ms, error);
    }
    relays_reap(&world->relays);
    return state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct records records = {data, size};
    enum peer_state state = PEER_OPEN;
    struct error error = {0};
    struct record record;
    struct world world;

    world_init(&world);
    while (state == PEER_OPEN && records_next(&records, &record)) {
        world.now_ms += record.length;
        if ((record.what & 0x7f) == VISITOR)
            visitor_comes(&world);
        else
            say(&world, &record);
        state = world_round(&world, &error);
        listen_to(&world);
    }
    require(state != PEER_BROKEN || (error.exit_code == 70 && error.text[0] != '\0'));
    world_deinit(&world);
    return 0;
}
