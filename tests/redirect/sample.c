// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sample.h"

#define EVERYTHING                                                                        \
    .interfaces = "eth0", .addresses = "192.0.2.1 2001:db8::1",                           \
    .sources = "203.0.113.6 203.0.113.7 10.128.0.0/9 10.0.0.0/9 224.0.0.0/3 203.0.113.8 " \
               "2001:db8:2::/47 ::/16 ffff::/16"

const struct sample samples[] = {
    {.name = "default"},
    {.name = "interfaces", .interfaces = "eth1 eth0 wg-office eth0"},
    {.name = "addresses", .addresses = "192.0.2.1 2001:db8::1 192.0.2.9 192.0.2.1"},
    {.name = "sources4", .sources = "198.51.100.0/24 203.0.113.7 198.51.100.32/27"},
    {.name = "sources6", .sources = "2001:db8:1::/48"},
    {.name = "everything", EVERYTHING},
    {.name = "world", .sources = "0.0.0.0/0 ::/0"},
    {.name = "local", .local = true},
    {.name = "not-found", .other = CONFIG_OTHER_NOT_FOUND},
    {.name = "not-found-everything", EVERYTHING, .other = CONFIG_OTHER_NOT_FOUND},
    {.name = "not-found-local", .local = true, .other = CONFIG_OTHER_NOT_FOUND},
    {.name = "tproxy", .method = CONFIG_METHOD_TPROXY},
    {.name = "tproxy-everything", EVERYTHING, .method = CONFIG_METHOD_TPROXY},
    {.name = "tproxy-local", .local = true, .method = CONFIG_METHOD_TPROXY},
    {.name = "tproxy-not-found", .method = CONFIG_METHOD_TPROXY, .other = CONFIG_OTHER_NOT_FOUND},
    {.name = "tproxy-not-found-sources6",
     .sources = "2001:db8:1::/48",
     .method = CONFIG_METHOD_TPROXY,
     .other = CONFIG_OTHER_NOT_FOUND},
    {.name = "tproxy-not-found-local",
     .local = true,
     .method = CONFIG_METHOD_TPROXY,
     .other = CONFIG_OTHER_NOT_FOUND},
    {.name = "many", .sources = "203.0.113.0/24", .many = 6000},
};
const size_t sample_count = sizeof(samples) / sizeof(samples[0]);

enum config_method sample_method = CONFIG_METHOD_REDIRECT;

void sample_defaults(struct config *config)
{
    *config = (struct config){0};
    config->redirect.method = sample_method;
    config->responder.port = 8402;
    config->redirect.port = 80;
    config->window.lease_ms = 5000;
}

/* One more item at the end of an array, cleared. */
static void *append(void *array, size_t *count, size_t size)
{
    char *bytes = array;

    if ((*count & (*count - 1)) == 0) /* full: its capacity is always a power of two */
        bytes = reallocarray(array, *count > 0 ? *count * 2 : 1, size);
    assert(bytes);
    memset(bytes + *count * size, 0, size);
    ++*count;
    return bytes;
}

static void add_network(struct config_network **networks, size_t *count, const char *text)
{
    char address[INET6_ADDRSTRLEN];
    int length = (int)strcspn(text, "/");
    bool v6 = strchr(text, ':') != NULL;

    *networks = append(*networks, count, sizeof(**networks));
    struct config_network *network = &(*networks)[*count - 1];
    network->family = v6 ? AF_INET6 : AF_INET;
    network->prefix = v6 ? 128 : 32;
    if (text[length])
        network->prefix = (uint8_t)atoi(text + length + 1);
    snprintf(address, sizeof(address), "%.*s", length, text);
    assert(inet_pton(network->family, address, &network->address) == 1);
}

static void each_word(struct config *config, const char *words,
                      void (*add)(struct config *config, const char *word))
{
    char *copy = strdup(words ? words : "");
    char *rest = NULL;

    assert(copy);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        add(config, word);
    free(copy);
}

static void add_interface(struct config *config, const char *word)
{
    config->redirect.interfaces =
        append(config->redirect.interfaces, &config->redirect.interface_count,
               sizeof(*config->redirect.interfaces));
    snprintf(config->redirect.interfaces[config->redirect.interface_count - 1], CONFIG_NAME_MAX,
             "%s", word);
}

static void add_address(struct config *config, const char *word)
{
    add_network(&config->redirect.addresses, &config->redirect.address_count, word);
}

static void add_source(struct config *config, const char *word)
{
    add_network(&config->redirect.sources, &config->redirect.source_count, word);
}

void sample_config(struct config *config, const struct sample *sample)
{
    sample_defaults(config);
    config->redirect.local = sample->local;
    if (sample->method == CONFIG_METHOD_TPROXY)
        config->redirect.method = sample->method;
    config->other_requests = sample->other;
    each_word(config, sample->interfaces, add_interface);
    each_word(config, sample->addresses, add_address);
    each_word(config, sample->sources, add_source);
    for (size_t i = 0; i < sample->many; i++) {
        char word[64];

        if (i % 2 == 0) /* every other address: none touches the next */
            snprintf(word, sizeof(word), "10.%zu.%zu.%zu", i >> 16, i >> 8 & 255, i & 255);
        else
            snprintf(word, sizeof(word), "2001:db8:%zx::/48", i);
        add_source(config, word);
    }
}

void sample_free(struct config *config)
{
    free(config->redirect.interfaces);
    free(config->redirect.addresses);
    free(config->redirect.sources);
    sample_defaults(config);
}
