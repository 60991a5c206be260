// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/message.h"

/* As many as the kernel lets a packet have (SCM_MAX_FD). What has no room is closed by the kernel,
 * which waits for as long as the sender likes. */
enum { DESCRIPTORS_MAX = 253 };

/* One descriptor to send, or all that can come, aligned as the kernel wants it. */
union descriptor_buffer {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

union descriptors_buffer {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
};

void message_discard(int fd)
{
    const struct linger linger = {.l_onoff = 1};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

ssize_t message_send(const struct message_protocol *protocol, int socket, const void *message,
                     int fd)
{
    struct message_header header;
    memcpy(&header, message, sizeof(header));
    size_t length = message_length(protocol, header.type);
    if (length == 0) {
        errno = EINVAL;
        return -1;
    }

    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = length};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    union descriptor_buffer buffer = {0};
    if (fd != -1) {
        packet.msg_control = &buffer;
        packet.msg_controllen = sizeof(buffer);
        struct cmsghdr *control = CMSG_FIRSTHDR(&packet);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(control), &fd, sizeof(fd));
    }

    ssize_t sent;
    do {
        sent = sendmsg(socket, &packet, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

/* Takes the first descriptor and closes all others; returns how many there were. */
static size_t take_descriptors(struct msghdr *packet, int *first)
{
    size_t count = 0;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(packet); control;
         control = CMSG_NXTHDR(packet, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        size_t bytes = control->cmsg_len - CMSG_LEN(0);
        for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
            int fd;
            memcpy(&fd, CMSG_DATA(control) + at, sizeof(fd));
            if (count++ == 0)
                *first = fd;
            else
                message_discard(fd);
        }
    }
    return count;
}

ssize_t message_receive(const struct message_protocol *protocol, int socket, void *message,
                        int *fd_out)
{
    if (fd_out)
        *fd_out = -1;
    memset(message, 0, protocol->capacity);
    struct iovec part = {.iov_base = message, .iov_len = protocol->capacity};
    union descriptors_buffer buffer;
    struct msghdr packet = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &buffer,
        .msg_controllen = sizeof(buffer),
    };

    ssize_t received;
    do {
        received = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    if (received < 0)
        return -1;

    int fd = -1;
    size_t descriptors = take_descriptors(&packet, &fd);
    /* The kernel says no more than this when the table of descriptors is full. */
    if (fd_out && descriptors == 0 && (packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == MSG_CTRUNC) {
        *fd_out = MESSAGE_FD_LOST;
        return received;
    }
    if ((packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || descriptors > (fd_out ? 1 : 0)) {
        if (fd != -1)
            message_discard(fd);
        errno = EBADMSG;
        return -1;
    }
    /* An empty packet looks like the end of the stream, and costs the peer its connection too. */
    if (received == 0 && fd != -1) {
        message_discard(fd);
        fd = -1;
    }
    if (fd_out)
        *fd_out = fd;
    return received;
}
