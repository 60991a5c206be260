// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wicket/challenge.h"
#include "wicket/error.h"

/*
 * The configuration, wicket.yaml(5). Read into a fresh struct, whole or not at all. Every key has
 * a default; an absent file is the defaults.
 */

#define CONFIG_NAME_MAX 32  /* user, group (LOGIN_NAME_MAX of most systems) and interface names */
#define CONFIG_PATH_MAX 107 /* what sockaddr_un.sun_path takes, and NUL; the webroot too */

/* What becomes of a connection that does not ask for a challenge. */
enum config_other_requests {
    CONFIG_OTHER_PASS,      /* handed on to production, byte for byte */
    CONFIG_OTHER_NOT_FOUND, /* 404 */
    CONFIG_OTHER_HTTPS,     /* 308 to https:// of the same host */
};

#define CONFIG_CHAIN_NAME_MAX 128 /* of a chain and of its table; nft takes 255 */

/* What redirects. */
enum config_method {
    CONFIG_METHOD_REDIRECT, /* NAT: to responder.port, which the host's own input rules then see */
    CONFIG_METHOD_TPROXY, /* the socket alone is another: the host's own rules see redirect.port */
};

/* A base chain of the host's own firewall. */
struct config_chain {
    char family[5]; /* as nft names it: "inet", "ip" or "ip6" */
    char table[CONFIG_CHAIN_NAME_MAX];
    char chain[CONFIG_CHAIN_NAME_MAX];
};

/* An address or network. prefix is in bits: 32 or 128 for an address. Host bits are zero. */
struct config_network {
    int family; /* AF_INET or AF_INET6 */
    uint8_t prefix;
    union {
        struct in_addr v4;
        struct in6_addr v6;
    } address;
};

struct config {
    char path[4096]; /* absolute, as used in messages; of the file that was read or is absent */
    bool file_exists;

    struct {
        uint16_t port;                  /* 8402 */
        char user[CONFIG_NAME_MAX];     /* "wicket" */
        bool user_given;                /* false: the default, which may fall back to nobody */
        uint32_t undecided;             /* 1024; 16 to 65536 */
        uint32_t undecided_per_address; /* 32; 1 to undecided; an IPv6 /64 counts as an address */
        uint64_t first_byte_ms;         /* 1 s; 100 ms to 10 s, at most deadline_ms */
        uint64_t deadline_ms;           /* 10 s; 1 s to 60 s */
    } responder;

    struct {
        uint16_t port;             /* 80; another than responder.port */
        enum config_method method; /* redirect */
        char (*interfaces)[CONFIG_NAME_MAX];
        size_t interface_count;           /* 0: all */
        struct config_network *addresses; /* full prefix each */
        size_t address_count;             /* 0: all local ones */
        struct config_network *sources;
        size_t source_count;  /* 0: everyone, unless there is a file of them */
        size_t source_listed; /* how many of them wicket.yaml lists, where the file has been read */
        char sources_file[CONFIG_PATH_MAX + 1]; /* more sources, one a line; "": none */
        bool local;                             /* false */
        struct config_chain *admit; /* where the redirected are let in while a window is open */
        size_t admit_count;         /* 0: nowhere; else the method is redirect */
        bool pass_admitted;         /* false: with admission nobody is passed to production */
    } redirect;

    struct {
        uint64_t lease_ms;          /* 5 s; 1 s to 60 s */
        uint64_t token_lifetime_ms; /* 10 min; 1 s to limit */
        uint64_t limit_ms;          /* 1 h; 1 s to 24 h */
        uint64_t drain_ms;          /* 5 min; 1 s to 24 h: an idle passed connection's grace */
    } window;

    enum config_other_requests other_requests; /* pass; not-found where there is an admission */
    bool other_requests_given;

    struct {
        char webroot[CONFIG_PATH_MAX + 1];
        char (*accounts)[CHALLENGE_THUMBPRINT_LENGTH + 1];
        size_t account_count; /* 0: any */
        char (*stateless)[CHALLENGE_THUMBPRINT_LENGTH + 1];
        size_t stateless_count; /* 0 or 1; one of `accounts` when there are any */
    } tokens;

    struct {
        char socket[CONFIG_PATH_MAX + 1]; /* /run/wicket/control.sock */
        char group[CONFIG_NAME_MAX];      /* "wicket" */
        bool group_given;
    } control;

    struct {
        char file[CONFIG_PATH_MAX + 1]; /* /var/lib/wicket/ledger.jsonl; "": no ledger */
        uint32_t size;                  /* 8 megabytes (10^6 bytes); 1 to 1024 */
    } ledger;
};

/* There is a file of sources, and neither in it nor beside it any source. */
static inline bool config_redirects_nobody(const struct config *config)
{
    return config->redirect.sources_file[0] != '\0' && config->redirect.source_count == 0;
}

/* Up to this many lines are reported of one file. */
#define CONFIG_ERRORS_MAX 20

struct config_errors {
    size_t count;                       /* at most CONFIG_ERRORS_MAX */
    bool more;                          /* there were more than that */
    char lines[CONFIG_ERRORS_MAX][512]; /* "file:line:column: key: reason" */
};

void config_init(struct config *config);   /* the defaults */
void config_deinit(struct config *config); /* may be called twice */

/*
 * Reads `path`. Returns 0, or -1 with at least one line in `errors`; `config` then holds nothing
 * that needs config_deinit. `absent_is_fine`: ENOENT gives the defaults. The exit code of every
 * failure is 78 (EX_CONFIG), but 77 when the file may not be read (errors->count is 1 then and
 * *exit_code says so).
 */
int config_read(struct config *config, const char *path, bool absent_is_fine,
                struct config_errors *errors, int *exit_code);

/* The same from memory; `name` is what messages call it. For tests and fuzzers. */
int config_parse(struct config *config, const char *name, const void *bytes, size_t length,
                 struct config_errors *errors);
