// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/validators_print.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <sysexits.h>

#include "base/escape.h"

#define NETWORK_TEXT (INET6_ADDRSTRLEN + 4)

static const char *address_text(char out[INET6_ADDRSTRLEN], const struct observed *one)
{
    const char *text = inet_ntop(one->key.family, one->key.address, out, INET6_ADDRSTRLEN);
    return text == NULL ? "?" : text;
}

/* What a provider usually has of one piece: a /24, a /48. */
static const char *network_text(char out[NETWORK_TEXT], const struct observed *one)
{
    const bool is_v4 = one->key.family == AF_INET;
    struct observed masked = *one;
    char text[INET6_ADDRSTRLEN];
    const size_t kept = is_v4 ? 3 : 6;
    memset(masked.key.address + kept, 0, sizeof masked.key.address - kept);
    snprintf(out, NETWORK_TEXT, "%s/%d", address_text(text, &masked), is_v4 ? 24 : 48);
    return out;
}

#define ADDRESS(one) address_text((char[INET6_ADDRSTRLEN]){0}, (one))
#define NETWORK(one) network_text((char[NETWORK_TEXT]){0}, (one))

static const struct observed *next(const struct observed *one)
{
    return one->hh.next;
}

/* As wide as what it holds. */
static int width(const struct observations *observations, bool network)
{
    size_t most = sizeof "ADDRESS" - 1;
    for (const struct observed *one = observations->list; one != NULL; one = next(one)) {
        const size_t length = strlen(network ? NETWORK(one) : ADDRESS(one));
        most = length > most ? length : most;
    }
    return (int)most;
}

void validators_print_text(FILE *out, const struct observations *observations)
{
    const int address = width(observations, false);
    const int network = width(observations, true);
    if (observations->list == NULL) {
        return;
    }
    fprintf(out, "%-*s  %-*s  %-24s  %-24s  %11s  %7s\n", address, "ADDRESS", network, "NETWORK",
            "FIRST SEEN", "LAST SEEN", "VALIDATIONS", "WINDOWS");
    for (const struct observed *one = observations->list; one != NULL; one = next(one)) {
        fprintf(out, "%-*s  %-*s  %s  %s  %11" PRIu64 "  %7" PRIu32 "%s\n", address, ADDRESS(one),
                network, NETWORK(one), one->first, one->last, one->validations, one->windows,
                observed_is_new(observations, one) ? "  new" : "");
    }
}

static void print_head(FILE *out, const struct observations *observations)
{
    fprintf(out, "# wicket validators: " VALIDATORS_WARNING ".\n");
    if (observations->list == NULL) {
        fprintf(out, "# Nobody has validated yet.\n");
    }
}

void validators_print_plain(FILE *out, const struct observations *observations)
{
    print_head(out, observations);
    for (const struct observed *one = observations->list; one != NULL; one = next(one)) {
        fprintf(out, "%s # %s, last seen %s, validations %" PRIu64 "%s\n", ADDRESS(one),
                NETWORK(one), one->last, one->validations,
                observed_is_new(observations, one) ? ", new" : "");
    }
}

static void print_set(FILE *out, const struct observations *observations, uint16_t family)
{
    const char *separator = "";
    for (const struct observed *one = observations->list; one != NULL; one = next(one)) {
        if (one->key.family != family) {
            continue;
        }
        if (separator[0] == '\0') {
            fprintf(out, "add element inet " VALIDATORS_NFT_TABLE " validators%c {",
                    family == AF_INET ? '4' : '6');
        }
        fprintf(out, "%s\n    %s", separator, ADDRESS(one));
        separator = ",";
    }
    if (separator[0] != '\0') {
        fprintf(out, "\n}\n");
    }
}

void validators_print_nft(FILE *out, const struct observations *observations)
{
    print_head(out, observations);
    fprintf(out, "table inet " VALIDATORS_NFT_TABLE " {\n"
                 "    set validators4 { type ipv4_addr; }\n"
                 "    set validators6 { type ipv6_addr; }\n"
                 "}\n"
                 "flush set inet " VALIDATORS_NFT_TABLE " validators4\n"
                 "flush set inet " VALIDATORS_NFT_TABLE " validators6\n");
    print_set(out, observations, AF_INET);
    print_set(out, observations, AF_INET6);
}

static json_t *validator_json(const struct observations *observations, const struct observed *one)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:b}", "address", ADDRESS(one), "family",
                     one->key.family == AF_INET ? "IPv4" : "IPv6", "network", NETWORK(one),
                     "first_seen", one->first, "last_seen", one->last, "validations",
                     (json_int_t)one->validations, "windows", (json_int_t)one->windows, "new",
                     (int)observed_is_new(observations, one));
}

int validators_print_json(FILE *out, const struct observations *observations, const char *path,
                          struct error *error)
{
    char shown[1024];
    const uint64_t passed_over = observations->broken + observations->newer;
    json_t *list = json_array();
    escape_copy(shown, sizeof shown, path, strlen(path)); /* a path is bytes, JSON is UTF-8 */
    for (const struct observed *one = observations->list; one != NULL; one = next(one)) {
        json_array_append_new(list, validator_json(observations, one));
    }
    json_t *document =
        json_pack("{s:i, s:s, s:s, s:I, s:I, s:o}", "version", 1, "ledger", shown, "warning",
                  VALIDATORS_WARNING, "broken_lines", (json_int_t)passed_over, "unlisted",
                  (json_int_t)observations->unlisted, "validators", list);
    const int result =
        document == NULL ? -1 : json_dumpf(document, out, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(document);
    if (result != 0) {
        return error_set(error, EX_OSERR, "validators: cannot be written, or out of memory");
    }
    fputc('\n', out);
    return 0;
}
