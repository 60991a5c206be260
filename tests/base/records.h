// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

/*
 * A fuzzer's input as a conversation: one record after another, each a byte that says what is to
 * happen, two that say how long it is, and so many bytes, fewer at the end of the input.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct records {
    const uint8_t *bytes;
    size_t size;
};

struct record {
    uint8_t what;
    const uint8_t *bytes;
    size_t length;
};

static inline bool records_next(struct records *records, struct record *out)
{
    if (records->size < 3)
        return false;
    *out = (struct record){
        .what = records->bytes[0],
        .bytes = records->bytes + 3,
        .length = records->bytes[1] | (size_t)records->bytes[2] << 8,
    };
    if (out->length > records->size - 3)
        out->length = records->size - 3;
    records->bytes += 3 + out->length;
    records->size -= 3 + out->length;
    return true;
}

/* What a record says behind the header of a message, as far as there is room; what it does not say
 * stays as it is. */
static inline void record_fill(const struct record *record, void *message, size_t header,
                               size_t length)
{
    size_t room = length > header ? length - header : 0;

    memcpy((char *)message + header, record->bytes, record->length < room ? record->length : room);
}

/* One packet as it is, good or bad, with a copy of the descriptor unless that is negative. A socket
 * that is full or closed has no room for it; that is not the sender's concern. */
static inline void record_send(int socket, const void *bytes, size_t length, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {(void *)bytes, length}; /* not written to */
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    }
    (void)sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}
