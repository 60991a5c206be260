// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/message.h"
#include "keeper/descriptor.h"
#include "wicket/log.h"

struct child_packet {
    struct child_packet *next;
    int fd;          /* -1: none */
    uint32_t length; /* of its message */
    unsigned char message[];
};

enum { DEATHS_AT_ONCE = 3, DELAY_FIRST_MS = 500, DELAY_MAX_MS = 30000 };
/* As many messages are read in one go: the other descriptors get their turn. */
enum { MESSAGES_A_ROUND = 256 };
/* Bytes. A responder that reads no more than that is no good any more. It has read nothing for a
 * while by then: 200,000 tokens that are served anew, or end at once, would fit in. */
enum { WAITING_MAX = 64 * 1024 * 1024 };

static void packets_free(struct child *child)
{
    while (child->waiting != NULL) {
        struct child_packet *next = child->waiting->next;
        if (child->waiting->fd >= 0)
            descriptor_discard(child->waiting->fd);
        free(child->waiting);
        child->waiting = next;
    }
    child->waiting_last = NULL;
    child->waiting_bytes = 0;
}

void child_init(struct child *child, int epoll_fd, const struct spawn_plan *plan,
                const struct link_setup *setup, const struct child_handlers *handlers, void *owner)
{
    *child = (struct child){
        .epoll_fd = epoll_fd,
        .plan = *plan,
        .setup = *setup,
        .handlers = handlers,
        .owner = owner,
        .state = CHILD_DOWN,
        .due_ms = UINT64_MAX,
        .link = {.fd = -1},
        .unread_fd = -1,
        .process = {.fd = -1},
    };
    child_log_init(&child->log, epoll_fd);
}

/* Without CAP_KILL the responder is killed in its own name. Nobody can use the moment: real and
 * saved uid stay the keeper's, and these are what others need. */
static bool kill_process(const struct child *child)
{
    uid_t own = geteuid();

    if (pidfd_send_signal(child->process.fd, SIGKILL, NULL, 0) == 0)
        return true;
    if (errno != EPERM || setresuid((uid_t)-1, child->setup.uid, (uid_t)-1) != 0)
        return false;
    bool killed = pidfd_send_signal(child->process.fd, SIGKILL, NULL, 0) == 0;
    int reason = errno;
    if (setresuid((uid_t)-1, own, (uid_t)-1) != 0)
        abort(); /* the saved uid is always open to it */
    errno = reason;
    return killed;
}

/* Nobody sends any more. Each socket that nobody has read is reset; the kernel would wait for it.
 */
static void drain_link(struct child *child)
{
    union link_message message;
    ssize_t length;
    int fd;

    if (child->unread_fd < 0)
        return;
    descriptor_hurry();
    do {
        length = link_receive(child->unread_fd, &message, &fd);
        if (length > 0 && fd >= 0)
            message_discard(fd);
        /* ECONNRESET says, once, that it died without having read everything itself. */
    } while (length > 0 || (length < 0 && (errno == EBADMSG || errno == ECONNRESET)));
    close(child->unread_fd);
    descriptor_hurry_end();
    child->unread_fd = -1;
}

/* Told to end, if it can still read; what it may have set on sockets that it has sent can be undone
 * only when it is dead. */
static void retire_link(struct child *child)
{
    int fd = child->link.fd;

    if (fd < 0)
        return;
    event_remove(child->epoll_fd, &child->link);
    (void)shutdown(fd, SHUT_RDWR);
    child->unread_fd = fd;
}

/* The link is of no use any more: the process must go, whatever state it is in. */
static void begin_death(struct child *child)
{
    if (child->state != CHILD_STARTING && child->state != CHILD_READY)
        return;
    child->state = CHILD_DYING;
    child->due_ms = UINT64_MAX;
    retire_link(child);
    packets_free(child);
    if (!kill_process(child) && errno != ESRCH)
        log_error("cannot kill the responder");
    if (child->was_up) {
        child->was_up = false;
        child->handlers->down(child->owner);
    }
}

static void describe_death(const siginfo_t *info)
{
    if (info->si_pid == 0)
        log_warnx("the responder is gone");
    else if (info->si_code == CLD_EXITED)
        log_warnx("the responder ended with exit status %d", info->si_status);
    else if (info->si_status == SIGSYS)
        log_errorx("the responder tried a system call that it must not make, and was killed for it "
                   "(signal %d): it may have been taken over",
                   info->si_status);
    else
        log_warnx("the responder was killed by signal %d", info->si_status);
}

static uint64_t delay_ms(unsigned int deaths)
{
    uint64_t delay = DELAY_FIRST_MS;

    if (deaths <= DEATHS_AT_ONCE)
        return 0;
    for (unsigned int i = DEATHS_AT_ONCE + 1; i < deaths && delay < DELAY_MAX_MS; i++)
        delay *= 2;
    return delay < DELAY_MAX_MS ? delay : DELAY_MAX_MS;
}

static void process_ready(void *owner, uint32_t events)
{
    struct child *child = owner;
    siginfo_t info = {0};
    uint64_t now_ms = event_now_ms();

    (void)events;
    begin_death(child);
    /* An error (ECHILD) means that it is gone and somebody else has buried it. */
    if (waitid(P_PIDFD, (id_t)child->process.fd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
        return;
    event_close(child->epoll_fd, &child->process);
    drain_link(child);
    child_log_end(&child->log);
    describe_death(&info);
    child->deaths = now_ms - child->started_ms >= CHILD_STEADY_MS ? 1 : child->deaths + 1;
    child->state = CHILD_DOWN;
    child->due_ms = now_ms + delay_ms(child->deaths);
}

static void broken(struct child *child, const struct error *error)
{
    begin_death(child);
    child->handlers->broken(child->owner, error);
}

static void send_setup(struct child *child)
{
    union link_message message;

    link_message_init(&message, LINK_SETUP);
    struct link_header header = message.header;
    message.setup = child->setup;
    message.setup.header = header;
    child_send(child, &message);
}

void child_configure(struct child *child, const struct link_setup *setup)
{
    child->setup = *setup;
    child->setup_changed = child->state == CHILD_STARTING;
    send_setup(child);
}

/* Takes the descriptor over, where there is one. */
static void dispatch(struct child *child, const union link_message *message, int fd)
{
    switch (message->header.type) {
    case LINK_READY:
        if (child->state != CHILD_STARTING)
            break;
        child->state = CHILD_READY;
        child->due_ms = UINT64_MAX;
        child->was_up = true;
        if (child->setup_changed)
            send_setup(child);
        child->setup_changed = false;
        child->handlers->up(child->owner);
        return;
    case LINK_PONG:
        if (child->state != CHILD_READY)
            break;
        child->handlers->pong(child->owner, &message->pong);
        return;
    case LINK_VALIDATION:
        if (child->state != CHILD_READY)
            break;
        child->handlers->validation(child->owner, &message->validation);
        return;
    case LINK_DRAINED:
        if (child->state != CHILD_READY)
            break;
        child->handlers->drained(child->owner, message->drained.sequence);
        return;
    case LINK_PASS:
        if (child->state != CHILD_READY)
            break;
        child->handlers->pass(child->owner, message->pass.id, fd);
        return;
    case LINK_CROWDED:
        if (child->state != CHILD_READY)
            break;
        child->handlers->crowded(child->owner);
        return;
    default:
        break;
    }
    if (fd >= 0)
        descriptor_discard(fd);
    broken(child,
           &(struct error){EX_PROTOCOL, "the responder said something that has no place there"});
}

static void receive(struct child *child)
{
    for (unsigned int i = 0; i < MESSAGES_A_ROUND && child->link.fd >= 0; i++) {
        union link_message message;
        struct error error;
        int fd = -1;

        descriptor_hurry();
        ssize_t length = link_receive(child->link.fd, &message, &fd);
        descriptor_hurry_end();
        if (length < 0 && errno == EAGAIN)
            return;
        if (length < 0 && errno == EBADMSG) {
            broken(child, &(struct error){EX_PROTOCOL, "the responder sent a broken packet"});
            return;
        }
        if (length <= 0) {
            begin_death(child);
            return;
        }
        bool good = link_message_check(&message, (size_t)length, &error) == 0;
        if (good && (fd != -1) != link_message_carries(&message)) {
            error_set(&error, EX_PROTOCOL, "a message %s a descriptor",
                      fd != -1 ? "came with" : "came without");
            good = false;
        }
        if (!good) {
            if (fd >= 0)
                descriptor_discard(fd);
            broken(child, &error);
            return;
        }
        dispatch(child, &message, fd);
    }
}

/* Where too many descriptors are on their way (all of this user's, over RLIMIT_NOFILE) it is better
 * to refuse one visitor than to lose the responder, with all that it has passed. */
static ssize_t send_packet(const struct child *child, const union link_message *message, int fd)
{
    ssize_t sent = link_send(child->link.fd, message, fd);
    union link_message refusal = *message;

    if (sent >= 0 || errno != ETOOMANYREFS)
        return sent;
    refusal.passed.failure = ETOOMANYREFS;
    refusal.passed.connected = 0;
    return link_send(child->link.fd, &refusal, -1);
}

static void flush(struct child *child)
{
    union link_message message;

    while (child->waiting != NULL) {
        struct child_packet *packet = child->waiting;
        memcpy(&message, packet->message, packet->length);
        if (send_packet(child, &message, packet->fd) < 0) {
            if (errno != EAGAIN)
                begin_death(child);
            return;
        }
        child->waiting = packet->next;
        if (packet->fd >= 0)
            descriptor_discard(packet->fd);
        child->waiting_bytes -= sizeof(*packet) + packet->length;
        free(packet);
    }
    child->waiting_last = NULL;
    event_change(child->epoll_fd, &child->link, EPOLLIN);
}

static void link_ready(void *owner, uint32_t events)
{
    struct child *child = owner;

    if ((events & EPOLLOUT) != 0)
        flush(child);
    if (child->link.fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        receive(child);
}

/* The responder before may have had its way with them, and what it did holds for this one's. */
static int listeners_check(struct child *child, struct error *error)
{
    for (unsigned int i = 0; i < child->plan.listen_count; i++) {
        if (listen_restore(child->plan.listen_fds[i]))
            continue;
        child->listeners_lost = true;
        return error_set(error, EX_PROTOCOL,
                         "the responder's port is not listened on any more: a responder has shut "
                         "it down, and may have been taken over");
    }
    return 0;
}

static int spawn(struct child *child, struct error *error)
{
    struct spawn_plan plan = child->plan;

    if (child_log_begin(&child->log, &plan.log_fd, error) < 0)
        return -1;
    int outcome = spawn_responder(&plan, &child->link.fd, &child->process.fd, error);
    close(plan.log_fd);
    return outcome;
}

int child_start(struct child *child, uint64_t now_ms, struct error *error)
{
    union link_message message;

    child->started_ms = now_ms;
    child->due_ms = UINT64_MAX;
    if (listeners_check(child, error) < 0 || spawn(child, error) < 0)
        return -1;
    child->state = CHILD_STARTING;
    child->setup_changed = false;
    child->due_ms = now_ms + CHILD_READY_MS;
    child->link = (struct event_source){child->link.fd, link_ready, child};
    child->process = (struct event_source){child->process.fd, process_ready, child};
    if (!event_add(child->epoll_fd, &child->link, EPOLLIN) ||
        !event_add(child->epoll_fd, &child->process, EPOLLIN)) {
        error_set_errno(error, EX_OSERR, "cannot watch the responder");
        child_stop(child);
        return -1;
    }

    link_message_init(&message, LINK_SETUP);
    struct link_header header = message.header;
    message.setup = child->setup;
    message.setup.header = header;
    if (link_send(child->link.fd, &message, -1) < 0)
        begin_death(child);
    return 0;
}

void child_send(struct child *child, const union link_message *message)
{
    child_send_descriptor(child, message, -1);
}

/* True: it is on its way, or never will be. */
static bool send_now(struct child *child, const union link_message *message, int fd)
{
    if (child->state != CHILD_READY)
        return true;
    if (child->waiting != NULL)
        return false;
    if (send_packet(child, message, fd) >= 0)
        return true;
    if (errno == EAGAIN)
        return false;
    begin_death(child);
    return true;
}

void child_send_descriptor(struct child *child, const union link_message *message, int fd)
{
    if (send_now(child, message, fd)) {
        if (fd >= 0)
            descriptor_discard(fd);
        return;
    }

    size_t length = link_message_length(message->header.type);
    struct child_packet *packet =
        child->waiting_bytes < WAITING_MAX ? malloc(sizeof(*packet) + length) : NULL;
    if (packet == NULL) {
        /* It would miss a token; a fresh one is handed all of them. */
        log_errorx("no room for another message to the responder");
        if (fd >= 0)
            descriptor_discard(fd);
        begin_death(child);
        return;
    }
    packet->next = NULL;
    packet->fd = fd;
    packet->length = (uint32_t)length;
    memcpy(packet->message, message, length);
    *(child->waiting == NULL ? &child->waiting : &child->waiting_last->next) = packet;
    child->waiting_last = packet;
    child->waiting_bytes += sizeof(*packet) + length;
    event_change(child->epoll_fd, &child->link, EPOLLIN | EPOLLOUT);
}

void child_kill(struct child *child)
{
    begin_death(child);
}

void child_stop(struct child *child)
{
    siginfo_t info;

    child->stopped = true;
    child->due_ms = UINT64_MAX;
    retire_link(child);
    packets_free(child);
    if (child->process.fd >= 0) {
        kill_process(child);
        while (waitid(P_PIDFD, (id_t)child->process.fd, &info, WEXITED) != 0 && errno == EINTR)
            continue;
        event_close(child->epoll_fd, &child->process);
    }
    drain_link(child);
    child_log_end(&child->log);
    child_log_tick(&child->log, UINT64_MAX);
    child->state = CHILD_DOWN;
}

void child_tick(struct child *child, uint64_t now_ms)
{
    struct error error;

    child_log_tick(&child->log, now_ms);
    if (child->stopped || now_ms < child->due_ms)
        return;
    if (child->state == CHILD_STARTING) {
        log_warnx("the responder was not ready after %d s, it is killed", CHILD_READY_MS / 1000);
        begin_death(child);
    } else if (child->state == CHILD_DOWN && child_start(child, now_ms, &error) < 0) {
        if (child->listeners_lost) {
            broken(child, &error);
            return;
        }
        log_errorx("%s", error.text);
        child->deaths++;
        child->due_ms = now_ms + delay_ms(DEATHS_AT_ONCE + child->deaths);
    }
}

uint64_t child_next_ms(const struct child *child)
{
    uint64_t told_ms = child_log_next_ms(&child->log);

    return told_ms < child->due_ms ? told_ms : child->due_ms;
}
