// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>

#include <libmnl/libmnl.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "check/firewall.h"

/* The kernel's longest datagram of a dump is 32 KiB. */
#define BUFFER_BYTES ((size_t)64 * 1024)
/* Of a ruleset that changes all the time. */
#define ATTEMPTS 10

struct reader {
    struct mnl_socket *socket;
    uint32_t sequence;
    struct firewall *firewall;
};

static int take(const struct nlmsghdr *header, void *context)
{
    firewall_take(context, header);
    return MNL_CB_OK;
}

/* Sends one query and takes its answers. -1 with errno; EINTR: it changed meanwhile. */
static int ask(struct reader *reader, uint16_t type, const struct nftnl_set *of)
{
    static char bytes[BUFFER_BYTES];
    struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);

    header->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = ++reader->sequence;
    struct nfgenmsg *family = mnl_nlmsg_put_extra_header(header, sizeof(*family));
    family->nfgen_family =
        of ? (uint8_t)nftnl_set_get_u32(of, NFTNL_SET_FAMILY) : (uint8_t)NFPROTO_UNSPEC;
    family->version = NFNETLINK_V0;
    if (of) {
        mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_TABLE, nftnl_set_get_str(of, NFTNL_SET_TABLE));
        mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, nftnl_set_get_str(of, NFTNL_SET_NAME));
    }
    if (mnl_socket_sendto(reader->socket, header, header->nlmsg_len) < 0)
        return -1;
    for (int more = MNL_CB_OK; more == MNL_CB_OK;) {
        ssize_t length = mnl_socket_recvfrom(reader->socket, bytes, sizeof(bytes));

        if (length < 0)
            return -1;
        more = mnl_cb_run(bytes, (size_t)length, reader->sequence,
                          mnl_socket_get_portid(reader->socket), take, reader->firewall);
        if (more < 0)
            return -1;
    }
    return 0;
}

static int read_all(struct reader *reader)
{
    if (ask(reader, NFT_MSG_GETCHAIN, NULL) < 0 || ask(reader, NFT_MSG_GETRULE, NULL) < 0 ||
        ask(reader, NFT_MSG_GETSET, NULL) < 0)
        return -1;
    for (size_t i = 0; i < reader->firewall->set_count; i++)
        if (ask(reader, NFT_MSG_GETSETELEM, reader->firewall->sets[i]) < 0)
            return -1;
    if (reader->firewall->out_of_memory) {
        errno = ENOMEM;
        return -1;
    }
    return 0;
}

/* A socket of its own for each attempt: what is left in it of an earlier one is not read. */
static int attempt(struct firewall *firewall)
{
    struct timeval patience = {.tv_sec = 10};
    struct reader reader = {.socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC),
                            .firewall = firewall};
    int result = -1;

    if (!reader.socket)
        return -1;
    if (setsockopt(mnl_socket_get_fd(reader.socket), SOL_SOCKET, SO_RCVTIMEO, &patience,
                   sizeof(patience)) == 0 &&
        mnl_socket_bind(reader.socket, 0, MNL_SOCKET_AUTOPID) == 0)
        result = read_all(&reader);
    int saved = errno;
    mnl_socket_close(reader.socket);
    errno = saved;
    return result;
}

int firewall_read(struct firewall *firewall, struct error *error)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        firewall_init(firewall);
        if (attempt(firewall) == 0)
            return 0;
        firewall_deinit(firewall);
        if (errno == EOPNOTSUPP || errno == EPROTONOSUPPORT)
            return 0;
        if (errno != EINTR && errno != ENOENT && errno != ENOBUFS)
            break;
    }
    return error_set_errno(error, errno == EPERM ? EX_NOPERM : EX_OSERR,
                           "the rules of nftables cannot be read");
}
