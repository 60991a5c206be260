// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/pass_tuple.h"

#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

struct question {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
};

/* The socket's own end comes first, whoever made the connection. */
static void question_init(struct question *question, const union address *here,
                          const union address *visitor)
{
    struct inet_diag_sockid *id = &question->request.id;
    size_t length;

    *question = (struct question){
        .header = {.nlmsg_len = sizeof(*question),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST},
        .request = {.sdiag_family = (uint8_t)here->any.sa_family,
                    .sdiag_protocol = IPPROTO_TCP,
                    .idiag_states = UINT32_MAX,
                    .id = {.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
    };
    id->idiag_sport = htons(address_port(here));
    id->idiag_dport = htons(address_port(visitor));
    const void *bytes = address_bytes(here, &length);
    memcpy(id->idiag_src, bytes, length);
    bytes = address_bytes(visitor, &length);
    memcpy(id->idiag_dst, bytes, length);
    if (visitor->any.sa_family == AF_INET6)
        id->idiag_if = visitor->v6.sin6_scope_id;
}

int pass_tuple_open(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
}

bool pass_tuple_exists(int fd, const union address *here, const union address *visitor)
{
    union {
        struct nlmsghdr header;
        struct {
            struct nlmsghdr header;
            struct inet_diag_msg message;
        } answer;
        char bytes[4096];
    } reply;
    struct question question;

    question_init(&question, here, visitor);
    if (fd < 0 || send(fd, &question, sizeof(question), 0) != (ssize_t)sizeof(question))
        return false;
    /* The kernel has answered when send returns. Without such a connection the one that listens is
     * found, or nothing. */
    ssize_t length = recv(fd, &reply, sizeof(reply), 0);
    return length >= (ssize_t)sizeof(reply.answer) &&
           reply.header.nlmsg_type == SOCK_DIAG_BY_FAMILY &&
           reply.answer.message.idiag_state != TCP_LISTEN;
}
