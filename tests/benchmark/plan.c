// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage[] =
    "usage: load [OPTION…] ADDRESS PORT PATH\n"
    "Sends requests for PATH, checks every answer, and prints what it measured as JSON.\n"
    "  --from ADDRESS    where visitors come from; several are taken in turn\n"
    "  --connections N   at once, at most (64)\n"
    "  --rate N          requests begun a second, answered or not; without: as many as are "
    "answered\n"
    "  --seconds N       how long requests are begun (1)\n"
    "  --keep-alive      one connection serves many requests; without: each has its own\n"
    "  --or-close        with it: an answer may say that the server closes after all\n"
    "  --close-first     the visitor closes the connection first, not the server\n"
    "  --put FILE        sends its content\n"
    "  --expect FILE     the body that every answer must have; without: an empty one\n"
    "  --compare-all     compare each byte of it; without: both ends of each piece that is read\n"
    "  --spin            never give the processor away\n";

static int parse_address(struct plan_address *out, const char *text, int port, struct error *error)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((in_port_t)port)};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&out->storage, &v4, sizeof v4);
        out->length = sizeof v4;
        return 0;
    }
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
        memcpy(&out->storage, &v6, sizeof v6);
        out->length = sizeof v6;
        return 0;
    }
    return error_set(error, EX_USAGE, "%s is no address", text);
}

static int parse_number(double *out, const char *text, double least, double most,
                        struct error *error)
{
    char *end = NULL;
    *out = strtod(text, &end);
    if (end == text || *end != '\0' || !(*out >= least && *out <= most)) {
        return error_set(error, EX_USAGE, "%s is no number from %g to %g", text, least, most);
    }
    return 0;
}

static int map(struct plan_bytes *out, const char *path, struct error *error)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    if (file < 0 || fstat(file, &stat) < 0) {
        return error_set_errno(error, EX_NOINPUT, "%s", path);
    }
    out->length = (size_t)stat.st_size;
    if (out->length > 0) {
        out->data = mmap(NULL, out->length, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
        if (out->data == MAP_FAILED) {
            return error_set_errno(error, EX_OSERR, "%s: mmap", path);
        }
    }
    close(file);
    return 0;
}

static int write_request(struct plan *plan, const char *address, const char *path, bool put,
                         struct error *error)
{
    const bool v6 = plan->to.storage.ss_family == AF_INET6;
    char content[64] = "";
    if (put) {
        snprintf(content, sizeof content, "Content-Length: %zu\r\n", plan->body.length);
    }
    const int length =
        snprintf(plan->request, sizeof plan->request,
                 "%s %s HTTP/1.1\r\nHost: %s%s%s\r\nUser-Agent: load\r\nAccept: */*\r\n"
                 "%sConnection: %s\r\n\r\n",
                 put ? "PUT" : "GET", path, v6 ? "[" : "", address, v6 ? "]" : "", content,
                 plan->keep_alive || plan->close_first ? "keep-alive" : "close");
    if (length < 0 || (size_t)length >= sizeof plan->request) {
        return error_set(error, EX_USAGE, "the path is too long");
    }
    plan->request_length = (size_t)length;
    return 0;
}

static int add_source(struct plan *plan, const char *text, struct error *error)
{
    if (plan->from_count == PLAN_SOURCES_MAX) {
        return error_set(error, EX_USAGE, "more than %d times --from", PLAN_SOURCES_MAX);
    }
    return parse_address(&plan->from[plan->from_count++], text, 0, error);
}

static int check_sources(const struct plan *plan, struct error *error)
{
    for (size_t i = 0; i < plan->from_count; i++) {
        if (plan->from[i].storage.ss_family != plan->to.storage.ss_family) {
            return error_set(error, EX_USAGE, "--from: an address of the other family");
        }
    }
    return 0;
}

int plan_read(struct plan *plan, int argc, char **argv, struct error *error)
{
    static const struct option options[] = {
        {"from", required_argument, NULL, 'f'},
        {"connections", required_argument, NULL, 'c'},
        {"rate", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'},
        {"keep-alive", no_argument, NULL, 'k'},
        {"close-first", no_argument, NULL, 'v'},
        {"put", required_argument, NULL, 'p'},
        {"expect", required_argument, NULL, 'e'},
        {"compare-all", no_argument, NULL, 'a'},
        {"spin", no_argument, NULL, 'S'},
        {"or-close", no_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    *plan = (struct plan){.connections = 64, .seconds = 1};
    bool put = false;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        double number = 0;
        int result = 0;
        switch (option) {
        case 'f':
            result = add_source(plan, optarg, error);
            break;
        case 'c':
            result = parse_number(&number, optarg, 1, 100000, error);
            plan->connections = (size_t)number;
            break;
        case 'r':
            result = parse_number(&plan->rate, optarg, 0.001, 1e6, error);
            break;
        case 's':
            result = parse_number(&plan->seconds, optarg, 0.001, 86400, error);
            break;
        case 'k':
            plan->keep_alive = true;
            break;
        case 'v':
            plan->close_first = true;
            break;
        case 'p':
            put = true;
            result = map(&plan->body, optarg, error);
            break;
        case 'e':
            result = map(&plan->expect, optarg, error);
            break;
        case 'a':
            plan->compare_all = true;
            break;
        case 'o':
            plan->or_close = true;
            break;
        case 'S':
            plan->spin = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(EX_OK);
        default:
            return error_set(error, EX_USAGE, "try --help");
        }
        if (result < 0) {
            return -1;
        }
    }
    double port;
    if (argc - optind != 3) {
        return error_set(error, EX_USAGE, "wanted: ADDRESS PORT PATH; try --help");
    }
    if (plan->keep_alive && plan->close_first) {
        return error_set(error, EX_USAGE, "--keep-alive closes nothing, so not --close-first");
    }
    if (plan->or_close && !plan->keep_alive) {
        return error_set(error, EX_USAGE, "--or-close goes with --keep-alive");
    }
    if (parse_number(&port, argv[optind + 1], 1, 65535, error) < 0 ||
        parse_address(&plan->to, argv[optind], (int)port, error) < 0 ||
        check_sources(plan, error) < 0) {
        return -1;
    }
    return write_request(plan, argv[optind], argv[optind + 2], put, error);
}
