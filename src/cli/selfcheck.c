// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/selfcheck.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/fetch.h"
#include "wicket/log.h"

struct probe {
    const char *family_name;
    int family;
    bool tried; /* there is an address of the family */
    bool good;
    char host[80];
    char reason[SELFCHECK_REASON_MAX];
};

/* The socket of a CONTROL_PROBE. */
struct probe_socket {
    int fd; /* -1: none */
    struct control_socket message;
};

static int take_socket(void *context, const union control_message *message, int fd,
                       struct error *error)
{
    struct probe_socket *out = context;
    if (out->fd >= 0 || (fd >= 0) != (message->socket.family != 0)) {
        if (fd >= 0) {
            close(fd);
        }
        return error_set(error, EX_SOFTWARE, "the keeper's answer to a probe is wrong");
    }
    out->fd = fd;
    out->message = message->socket;
    return 0;
}

static void describe_host(struct probe *probe, const struct control_socket *message)
{
    const bool v6 = message->family == AF_INET6;
    char port[8] = "";
    if (message->port != 80) {
        snprintf(port, sizeof port, ":%u", (unsigned)message->port);
    }
    snprintf(probe->host, sizeof probe->host, "%s%s%s%s", v6 ? "[" : "", message->address,
             v6 ? "]" : "", port);
}

/* Asks for a socket and fetches over it. -1 only when the keeper cannot be talked to. */
static int run_request(struct connection *connection, struct probe *probe,
                       const union control_message *request, const struct challenge *challenge,
                       struct error *error)
{
    struct probe_socket got = {.fd = -1};
    const struct connection_answer answer = {CONTROL_SOCKET, take_socket, &got};
    if (connection_ask(connection, request, &answer, CONNECTION_ANSWER_MS, NULL, error) < 0) {
        if (got.fd >= 0) {
            close(got.fd);
        }
        if (connection->fd < 0) {
            return -1;
        }
        probe->tried = true;
        snprintf(probe->host, sizeof probe->host, "no connection");
        snprintf(probe->reason, sizeof probe->reason, "%.200s", error->text);
        return 0;
    }
    if (got.fd < 0) {
        return 0;
    }
    probe->tried = true;
    describe_host(probe, &got.message);
    fcntl(got.fd, F_SETFL, fcntl(got.fd, F_GETFL) | O_NONBLOCK);
    probe->good = fetch_challenge(got.fd, probe->host, challenge, SELFCHECK_MS, probe->reason,
                                  sizeof probe->reason);
    close(got.fd);
    return 0;
}

static int run_probe(struct connection *connection, struct probe *probe, bool loopback,
                     const struct challenge *challenge, struct error *error)
{
    union control_message request;
    control_message_init(&request, CONTROL_PROBE);
    request.probe.family = probe->family;
    request.probe.loopback = loopback ? 1 : 0;
    return run_request(connection, probe, &request, challenge, error);
}

int selfcheck_at(struct connection *connection, const char *address,
                 const struct challenge *challenge, struct selfcheck_result *out,
                 struct error *error)
{
    union control_message request;
    struct probe probe = {0};
    control_message_init(&request, CONTROL_PROBE_AT);
    snprintf(request.probe_at.address, sizeof request.probe_at.address, "%s", address);
    if (run_request(connection, &probe, &request, challenge, error) < 0) {
        return -1;
    }
    *out = (struct selfcheck_result){.tried = probe.tried, .good = probe.good};
    memcpy(out->reason, probe.reason, sizeof out->reason);
    return 0;
}

static int conclude(const struct probe probes[2], struct error *error)
{
    if (!probes[0].tried && !probes[1].tried) {
        return error_set(
            error, EX_TEMPFAIL,
            "this host has no address to fetch the challenge through, not even loopback");
    }
    const bool any_good = probes[0].good || probes[1].good;
    char reasons[2 * (SELFCHECK_REASON_MAX + 100)] = "";
    for (size_t i = 0; i < 2; i++) {
        const struct probe *probe = &probes[i];
        if (!probe->tried || probe->good) {
            continue;
        }
        if (any_good) {
            log_warnx("the challenge is not served over %s (%s): %s; a validator that comes over "
                      "%s will fail",
                      probe->family_name, probe->host, probe->reason, probe->family_name);
        }
        const size_t used = strlen(reasons);
        snprintf(reasons + used, sizeof reasons - used, "%s%s (%s): %s", used == 0 ? "" : "; ",
                 probe->family_name, probe->host, probe->reason);
    }
    if (any_good) {
        return 0;
    }
    return error_set(error, EX_TEMPFAIL,
                     "the challenge is not served through port 80 of this host: %s", reasons);
}

int selfcheck(struct connection *connection, const struct challenge *challenge, struct error *error)
{
    struct probe probes[2] = {
        {.family_name = "IPv4", .family = AF_INET},
        {.family_name = "IPv6", .family = AF_INET6},
    };
    for (size_t round = 0; round < 2; round++) {
        const bool loopback = round == 1;
        for (size_t i = 0; i < 2; i++) {
            if (run_probe(connection, &probes[i], loopback, challenge, error) < 0) {
                return -1;
            }
            if (loopback && probes[i].good) {
                break; /* one is enough when no family leads out of the host */
            }
        }
        if (probes[0].tried || probes[1].tried) {
            break;
        }
    }
    return conclude(probes, error);
}
