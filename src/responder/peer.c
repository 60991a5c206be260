// SPDX-License-Identifier: GPL-2.0-or-later
#include "responder/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "responder/destination.h"

/* The other side closed its end, with or without messages of ours unread. */
static bool is_end(int error_number)
{
    return error_number == EPIPE || error_number == ECONNRESET;
}

static enum peer_state peer_broken(struct error *error, const char *what)
{
    error_set_errno(error, 70, "link: %s", what);
    return PEER_BROKEN;
}

static enum peer_state peer_check(const union link_message *message, ssize_t length, int fd,
                                  struct error *error)
{
    if (length == 0)
        return PEER_ENDED;
    if (length < 0)
        return is_end(errno) ? PEER_ENDED : peer_broken(error, "cannot receive");
    if (link_message_check(message, (size_t)length, error) < 0) {
        error_prefix(error, "link");
        error->exit_code = 70;
        return PEER_BROKEN;
    }
    if ((fd != -1) != link_message_carries(message)) {
        error_set(error, 70, "link: message type %u %s a descriptor", message->header.type,
                  fd != -1 ? "came with" : "came without");
        return PEER_BROKEN;
    }
    return PEER_OPEN;
}

enum peer_state peer_receive_setup(int fd, struct link_setup *out, struct error *error)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    union link_message message;

    /* The keeper may have made the descriptor non-blocking. */
    while (poll(&readable, 1, -1) < 0) {
        if (errno != EINTR)
            return peer_broken(error, "poll");
    }
    enum peer_state state = peer_check(&message, link_receive(fd, &message, NULL), -1, error);
    if (state != PEER_OPEN)
        return state;
    if (message.header.type != LINK_SETUP) {
        error_set(error, 70, "link: message type %u came before the setup", message.header.type);
        return PEER_BROKEN;
    }
    *out = message.setup;
    return PEER_OPEN;
}

int peer_init(struct peer *peer, int fd, int epoll, struct tokens *tokens, struct relays *relays,
              struct error *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    union link_message ready;
    int flags = fcntl(fd, F_GETFL);

    *peer = (struct peer){
        .source = SOURCE_LINK, .fd = fd, .epoll = epoll, .tokens = tokens, .relays = relays};
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_set_errno(error, 70, "link: O_NONBLOCK");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return error_set_errno(error, 70, "link: epoll_ctl");
    link_message_init(&ready, LINK_READY);
    if (link_send(fd, &ready, -1) < 0 && !is_end(errno))
        return error_set_errno(error, 70, "link: cannot send");
    return 0;
}

void peer_deinit(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
}

/* What a responder is cannot change while it runs. */
static bool is_same_life(const struct link_setup *one, const struct link_setup *other)
{
    return one->listeners == other->listeners && one->sidecar == other->sidecar &&
           one->uid == other->uid && one->gid == other->gid;
}

static void peer_drain(struct peer *peer, const struct link_drain *drain, uint64_t now_ms)
{
    peer->drain_sequence = drain->sequence;
    if (drain->sequence != 0)
        relays_drain(peer->relays, drain->idle_ms, now_ms);
    else
        relays_resume(peer->relays);
}

/* Takes the descriptor over, where there is one. */
static enum peer_state peer_handle(struct peer *peer, const union link_message *message, int fd,
                                   uint64_t now_ms, struct error *error)
{
    switch (message->header.type) {
    case LINK_TOKEN:
        if (tokens_put(peer->tokens, message->token.key_authorization))
            return PEER_OPEN;
        /* A token that is not served is a failed renewal: the keeper starts another responder. */
        error_set(error, 70, "no memory for another token");
        return PEER_BROKEN;
    case LINK_FORGET:
        tokens_forget(peer->tokens, message->forget.token);
        return PEER_OPEN;
    case LINK_STATELESS:
        tokens_set_stateless(peer->tokens, message->stateless.thumbprint);
        return PEER_OPEN;
    case LINK_SETUP:
        if (!is_same_life(&peer->setup, &message->setup)) {
            error_set(error, 70, "link: a later setup may change limits only");
            return PEER_BROKEN;
        }
        peer->setup_waits = true;
        peer->setup = message->setup;
        return PEER_OPEN;
    case LINK_PING:
        peer->ping_waits = true;
        peer->ping_sequence = message->ping.sequence;
        return PEER_OPEN;
    case LINK_DRAIN:
        peer_drain(peer, &message->drain, now_ms);
        return PEER_OPEN;
    case LINK_PASSED:
        if (relays_answer(peer->relays, message->passed.id, fd == LINK_FD_LOST ? -1 : fd,
                          fd == LINK_FD_LOST ? EMFILE : (int)message->passed.failure,
                          message->passed.connected != 0, now_ms))
            return PEER_OPEN;
        error_set(error, 70, "link: an answer to a question nobody asked");
        return PEER_BROKEN;
    default:
        error_set(error, 70, "link: message type %u is out of place", message->header.type);
        return PEER_BROKEN;
    }
}

enum peer_state peer_receive(struct peer *peer, uint64_t now_ms, bool *any, struct error *error)
{
    for (;;) {
        union link_message message;
        int fd = -1;
        ssize_t length = link_receive(peer->fd, &message, &fd);
        enum peer_state state;

        if (length < 0 && (errno == EAGAIN))
            return PEER_OPEN;
        *any = true;
        state = peer_check(&message, length, fd, error);
        if (state == PEER_OPEN)
            state = peer_handle(peer, &message, fd, now_ms, error);
        else if (fd >= 0)
            close(fd);
        if (state != PEER_OPEN)
            return state;
    }
}

/* PEER_OPEN: the socket is full. */
static enum peer_state peer_not_sent(struct error *error)
{
    if (errno == EAGAIN)
        return PEER_OPEN;
    return is_end(errno) ? PEER_ENDED : peer_broken(error, "cannot send");
}

static enum peer_state peer_send(struct peer *peer, const union link_message *message, bool *sent,
                                 struct error *error)
{
    *sent = link_send(peer->fd, message, -1) >= 0;
    return *sent ? PEER_OPEN : peer_not_sent(error);
}

static enum peer_state peer_send_pong(struct peer *peer, const struct link_pong *pong, bool *sent,
                                      struct error *error)
{
    union link_message message;

    link_message_init(&message, LINK_PONG);
    struct link_header header = message.header;
    message.pong = *pong;
    message.pong.header = header;
    message.pong.sequence = peer->ping_sequence;
    enum peer_state state = peer_send(peer, &message, sent, error);
    if (*sent)
        peer->ping_waits = false;
    return state;
}

static enum peer_state peer_send_drained(struct peer *peer, bool *sent, struct error *error)
{
    union link_message message;

    link_message_init(&message, LINK_DRAINED);
    message.drained.sequence = peer->drain_sequence;
    enum peer_state state = peer_send(peer, &message, sent, error);
    if (*sent) {
        peer->drain_sequence = 0;
        tokens_trim(peer->tokens);
    }
    return state;
}

static enum peer_state peer_send_crowded(struct peer *peer, bool *sent, struct error *error)
{
    union link_message message;

    link_message_init(&message, LINK_CROWDED);
    enum peer_state state = peer_send(peer, &message, sent, error);
    if (*sent)
        peer->crowded_waits = false;
    return state;
}

/* Visitors wait, so they come first, and all of them. */
static enum peer_state peer_ask(struct peer *peer, bool *sent, uint64_t now_ms, struct error *error)
{
    enum peer_state state = PEER_OPEN;
    struct relay *relay;

    if (now_ms < peer->retry_ms)
        return PEER_OPEN;
    peer->retry_ms = 0;
    while (state == PEER_OPEN && *sent && (relay = relays_waiting(peer->relays))) {
        union link_message message;

        link_message_init(&message, LINK_PASS);
        message.pass.id = relay->id;
        if (link_send(peer->fd, &message, relay->visitor.fd) >= 0) {
            relays_asked(peer->relays, relay, now_ms);
        } else if (errno == ETOOMANYREFS) {
            /* All of this user's, over RLIMIT_NOFILE: no event tells when there are fewer. */
            peer->retry_ms = now_ms + PEER_RETRY_MS;
            return PEER_OPEN;
        } else {
            state = peer_not_sent(error);
            *sent = false;
        }
    }
    return state;
}

static enum peer_state peer_send_waiting(struct peer *peer, const struct link_pong *pong,
                                         bool *pong_sent, uint64_t now_ms, struct error *error)
{
    bool sent = true;
    enum peer_state state = peer_ask(peer, &sent, now_ms, error);

    if (state == PEER_OPEN && sent && peer->crowded_waits)
        state = peer_send_crowded(peer, &sent, error);
    if (state == PEER_OPEN && sent && peer->ping_waits) {
        state = peer_send_pong(peer, pong, &sent, error);
        *pong_sent = sent;
    }
    if (state == PEER_OPEN && sent && peer->drain_sequence != 0 && pong->connections == 0)
        state = peer_send_drained(peer, &sent, error);
    peer->blocked = !sent;
    return state;
}

uint64_t peer_next_ms(const struct peer *peer)
{
    return peer->retry_ms != 0 && relays_waiting(peer->relays) ? peer->retry_ms : UINT64_MAX;
}

bool peer_is_waiting(const struct peer *peer)
{
    return peer->ping_waits || peer->drain_sequence != 0 || peer->crowded_waits ||
           relays_waiting(peer->relays);
}

enum peer_state peer_flush(struct peer *peer, const struct link_pong *pong, bool *pong_sent,
                           uint64_t now_ms, struct error *error)
{
    bool was_blocked = peer->blocked;
    enum peer_state state = peer_send_waiting(peer, pong, pong_sent, now_ms, error);

    if (state == PEER_OPEN && peer->blocked != was_blocked) {
        struct epoll_event event = {.events = peer->blocked ? EPOLLIN | EPOLLOUT : EPOLLIN,
                                    .data.ptr = peer};
        if (epoll_ctl(peer->epoll, EPOLL_CTL_MOD, peer->fd, &event) < 0)
            return peer_broken(error, "epoll_ctl");
    }
    return state;
}

uint16_t peer_address(uint8_t out[16], const struct in6_addr *address)
{
    bool mapped = IN6_IS_ADDR_V4MAPPED(address);

    memset(out, 0, 16);
    memcpy(out, mapped ? &address->s6_addr[12] : address->s6_addr, mapped ? 4 : 16);
    return mapped ? AF_INET : AF_INET6;
}

bool peer_may_tell(struct peer *peer, uint64_t now_ms)
{
    if (now_ms - peer->second_start_ms >= 1000) {
        peer->second_start_ms = now_ms;
        peer->told = 0;
    }
    return peer->told < LINK_VALIDATIONS_A_SECOND;
}

void peer_tell_validation(struct peer *peer, const struct http_served *served)
{
    union link_message message;
    struct link_validation *validation = &message.validation;
    struct in6_addr local;

    if (!peer_may_tell(peer, served->now_ms) || served->length >= sizeof(validation->token))
        return;
    link_message_init(&message, LINK_VALIDATION);
    validation->family = peer_address(validation->address, &served->connection->address);
    validation->port = served->connection->port;
    validation->loopback = served->connection->loopback;
    validation->status = (uint16_t)served->status;
    validation->local_known = destination_find(&local, served->connection->fd, peer->listen_port) &&
                              peer_address(validation->local, &local) == validation->family;
    if (validation->local_known == 0)
        memset(validation->local, 0, sizeof(validation->local));
    memcpy(validation->token, served->token, served->length);
    memcpy(validation->host, served->host, strlen(served->host));
    memcpy(validation->user_agent, served->user_agent, strlen(served->user_agent));
    /* When it does not go out, the end of the link is met by whoever receives next. */
    if (link_send(peer->fd, &message, -1) >= 0)
        peer->told++;
}
