// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "keeper/descriptor.h"
#include "keeper/hang_up.h"
#include "keeper/keeper.h"
#include "keeper/request.h"
#include "wicket/log.h"

struct peer_packet {
    struct peer_packet *next;
    int fd;
    size_t length;
    _Alignas(union control_message) unsigned char bytes[];
};

static void packet_drop(struct peer *peer)
{
    struct peer_packet *packet = peer->packets;

    peer->packets = packet->next;
    if (peer->packets == NULL)
        peer->packets_last = NULL;
    if (packet->fd >= 0)
        close(packet->fd);
    free(packet);
}

void peer_close(struct peer *peer)
{
    struct keeper *keeper = peer->keeper;

    if (peer->source.fd < 0)
        return;
    int fd = peer->source.fd;
    event_remove(keeper->epoll_fd, &peer->source);
    peer->source.fd = -1;
    hang_up(fd);
    while (peer->packets != NULL)
        packet_drop(peer);
    *(peer->previous == NULL ? &keeper->peers.list : &peer->previous->next) = peer->next;
    if (peer->next != NULL)
        peer->next->previous = peer->previous;
    keeper->peers.count--;
    peer->next = keeper->peers.dead;
    keeper->peers.dead = peer;

    if (peer->run != NULL)
        window_finish(&keeper->window, event_now_ms(), peer->run, WINDOW_END_REMOVED);
    peer->run = peer->reason = NULL;
}

void peers_reap(struct keeper *keeper)
{
    while (keeper->peers.dead != NULL) {
        struct peer *next = keeper->peers.dead->next;
        free(keeper->peers.dead);
        keeper->peers.dead = next;
    }
}

void peers_close_all(struct keeper *keeper)
{
    while (keeper->peers.list != NULL)
        peer_close(keeper->peers.list);
    peers_reap(keeper);
}

size_t peers_of(const struct keeper *keeper, uid_t uid)
{
    size_t count = 0;

    for (const struct peer *peer = keeper->peers.list; peer != NULL; peer = peer->next)
        count += peer->uid == uid;
    return count;
}

void peers_forget(struct keeper *keeper, const struct window_reason *reason, const char *why)
{
    for (struct peer *peer = keeper->peers.list; peer != NULL; peer = peer->next) {
        if (peer->run == reason)
            peer->run = NULL;
        if (peer->reason == reason) {
            peer->reason = NULL;
            peer->wait_ended = why;
        }
    }
}

static void enqueue(struct peer *peer, const union control_message *message, int fd)
{
    size_t length = control_message_length(message->header.type);
    struct peer_packet *packet = malloc(sizeof(*packet) + length);

    if (packet == NULL) {
        peer_close(peer);
        return;
    }
    packet->next = NULL;
    packet->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    packet->length = length;
    memcpy(packet->bytes, message, length);
    if (peer->packets == NULL)
        peer->stuck_at_ms = event_now_ms() + PEER_STUCK_MS;
    *(peer->packets == NULL ? &peer->packets : &peer->packets_last->next) = packet;
    peer->packets_last = packet;
    event_change(peer->keeper->epoll_fd, &peer->source, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
}

void peer_send(struct peer *peer, const union control_message *message, int fd)
{
    if (peer->source.fd < 0)
        return;
    if (peer->packets == NULL) {
        if (control_send(peer->source.fd, message, fd) >= 0)
            return;
        if (errno != EAGAIN) {
            peer_close(peer);
            return;
        }
    }
    enqueue(peer, message, fd);
}

static void flush(struct peer *peer)
{
    union control_message message;

    while (peer->packets != NULL) {
        memcpy(&message, peer->packets->bytes, peer->packets->length);
        if (control_send(peer->source.fd, &message, peer->packets->fd) < 0) {
            if (errno != EAGAIN)
                peer_close(peer);
            return;
        }
        packet_drop(peer);
        peer->stuck_at_ms = event_now_ms() + PEER_STUCK_MS;
    }
    event_change(peer->keeper->epoll_fd, &peer->source, EPOLLIN | EPOLLRDHUP);
}

void peer_result(struct peer *peer, int exit_code, const char *format, ...)
{
    union control_message message;
    va_list arguments;

    control_message_init(&message, CONTROL_RESULT);
    message.result.exit_code = exit_code;
    va_start(arguments, format);
    vsnprintf(message.result.text, sizeof(message.result.text), format, arguments);
    va_end(arguments);
    peer->wait = PEER_WAIT_NONE;
    peer->reason = NULL;
    if (exit_code != 0 && log_limit_take(&peer->keeper->log_limit, event_now_ms()))
        log_info("uid %u pid %d: refused with %d: %s", (unsigned int)peer->uid, (int)peer->pid,
                 exit_code, message.result.text);
    peer_send(peer, &message, -1);
}

static void receive(struct peer *peer)
{
    union control_message message;
    struct error error;
    const bool descriptors = hang_up_is_due(peer->source.fd);
    ssize_t length = -1;

    errno = EBADMSG;
    if (!descriptors)
        length = control_receive(peer->source.fd, &message, NULL);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length == 0 || (length < 0 && errno != EBADMSG)) {
        peer_close(peer);
        return;
    }
    if (descriptors)
        error_set(&error, EX_PROTOCOL, "a descriptor nobody asked for");
    else if (length < 0)
        error_set(&error, EX_PROTOCOL, "a broken packet");
    else if (control_message_check(&message, (size_t)length, &error) == 0) {
        if (peer->wait == PEER_WAIT_NONE && peer->packets == NULL) {
            if (request_handle(peer, &message))
                return;
            error_set(&error, EX_PROTOCOL, "a message that is not the client's to send");
        } else
            error_set(&error, EX_PROTOCOL, "a request while another one waits for its answer");
    }
    if (log_limit_take(&peer->keeper->log_limit, event_now_ms()))
        log_warnx("uid %u pid %d loses its connection: %s", (unsigned int)peer->uid, (int)peer->pid,
                  error.text);
    peer_close(peer);
}

static void peer_ready(void *owner, uint32_t events)
{
    struct peer *peer = owner;

    if ((events & EPOLLOUT) != 0)
        flush(peer);
    if (peer->source.fd >= 0 && (events & EPOLLIN) != 0)
        receive(peer);
    /* Whatever it still said has been read by now, or the next round reads it. */
    if (peer->source.fd >= 0 && (events & EPOLLIN) == 0 &&
        (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0)
        peer_close(peer);
}

static void greet(struct peer *peer)
{
    union control_message message;

    control_message_init(&message, CONTROL_HELLO);
    message.hello.pid = (int32_t)getpid();
    snprintf(message.hello.config_path, sizeof(message.hello.config_path), "%s",
             peer->keeper->config->path);
    peer_send(peer, &message, -1);
}

/* Says why there is no greeting; the client takes a result in its place. */
static void refuse(struct keeper *keeper, int fd, const char *why)
{
    union control_message message;

    control_message_init(&message, CONTROL_RESULT);
    message.result.exit_code = EX_TEMPFAIL;
    snprintf(message.result.text, sizeof(message.result.text), "%s", why);
    if (log_limit_take(&keeper->log_limit, event_now_ms()))
        log_warnx("turned away: %s", why);
    control_send(fd, &message, -1);
    hang_up(fd);
}

static void adopt(struct keeper *keeper, int fd)
{
    struct ucred who;
    socklen_t length = sizeof(who);

    /* The listener's setting is not that of who was in its queue before. */
    (void)hang_up_refuse_descriptors(fd);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) {
        hang_up(fd);
        return;
    }
    if (peers_of(keeper, who.uid) >= PEERS_PER_UID || keeper->peers.count >= PEERS_MAX) {
        char why[128];
        snprintf(why, sizeof(why),
                 "uid %u has %zu connections to the keeper already; try again when one has ended",
                 (unsigned int)who.uid, peers_of(keeper, who.uid));
        refuse(keeper, fd, why);
        return;
    }

    struct peer *peer = calloc(1, sizeof(*peer));
    if (peer == NULL) {
        hang_up(fd);
        return;
    }
    peer->keeper = keeper;
    peer->source = (struct event_source){fd, peer_ready, peer};
    peer->uid = who.uid;
    peer->pid = who.pid;
    if (!event_add(keeper->epoll_fd, &peer->source, EPOLLIN | EPOLLRDHUP)) {
        hang_up(fd);
        free(peer);
        return;
    }
    peer->next = keeper->peers.list;
    if (peer->next != NULL)
        peer->next->previous = peer;
    keeper->peers.list = peer;
    keeper->peers.count++;
    log_debug("uid %u gid %u pid %d connected", (unsigned int)who.uid, (unsigned int)who.gid,
              (int)who.pid);
    greet(peer);
}

/* Out of descriptors: a connection that stays in the queue would wake this loop for ever. False:
 * there is no way to take it out. */
static bool turn_away(struct keeper *keeper)
{
    struct peers *peers = &keeper->peers;

    if (peers->spare_fd >= 0)
        close(peers->spare_fd);
    int fd = accept4(keeper->control.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        refuse(keeper, fd, "the keeper ran out of file descriptors; try again");
    peers->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0;
}

/* What waits would wake this loop for ever. */
static void pause_accepting(struct keeper *keeper)
{
    keeper->peers.paused = true;
    keeper->peers.paused_until_ms = event_now_ms() + PEERS_PAUSE_MS;
    event_change(keeper->epoll_fd, &keeper->control, 0);
}

void peers_tick(struct keeper *keeper, uint64_t now_ms)
{
    if (!keeper->peers.paused || now_ms < keeper->peers.paused_until_ms)
        return;
    keeper->peers.paused = false;
    if (keeper->control.fd >= 0)
        event_change(keeper->epoll_fd, &keeper->control, EPOLLIN);
}

uint64_t peers_next_ms(const struct peers *peers)
{
    return peers->paused ? peers->paused_until_ms : UINT64_MAX;
}

void peers_accept(struct keeper *keeper)
{
    for (;;) {
        int fd = accept4(keeper->control.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            adopt(keeper, fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno == EINTR || errno == ECONNABORTED) {
            continue;
        } else if ((errno != EMFILE && errno != ENFILE) || !turn_away(keeper)) {
            pause_accepting(keeper);
            return;
        }
    }
}
