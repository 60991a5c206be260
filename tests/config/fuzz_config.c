// SPDX-License-Identifier: GPL-2.0-or-later
#include <net/if.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../base/require.h"
#include "wicket/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_network(const struct config_network *network)
{
    require(network->family == AF_INET || network->family == AF_INET6);
    size_t bits = network->family == AF_INET ? 32 : 128;
    const uint8_t *bytes = (const uint8_t *)&network->address;
    require(network->prefix <= bits);
    for (size_t bit = network->prefix; bit < bits; bit++)
        require((bytes[bit / 8] & (0x80 >> (bit % 8))) == 0);
}

static void check_accepted(const struct config *config)
{
    require(config->responder.port != 0 && config->redirect.port != 0);
    require(config->responder.port != config->redirect.port);
    require(config->responder.undecided >= 16 && config->responder.undecided <= 65536);
    require(config->responder.undecided_per_address >= 1);
    require(config->responder.undecided_per_address <= config->responder.undecided);
    require(config->responder.first_byte_ms >= 100 && config->responder.first_byte_ms <= 10000);
    require(config->responder.first_byte_ms <= config->responder.deadline_ms);
    require(config->responder.deadline_ms >= 1000 && config->responder.deadline_ms <= 60000);
    require(config->window.lease_ms >= 1000 && config->window.lease_ms <= 60000);
    require(config->window.token_lifetime_ms >= 1000);
    require(config->window.token_lifetime_ms <= config->window.limit_ms);
    require(config->window.limit_ms <= 24 * 3600 * 1000);
    require(config->window.drain_ms >= 1000 && config->window.drain_ms <= 24 * 3600 * 1000);
    require(config->other_requests == CONFIG_OTHER_PASS ||
            config->other_requests == CONFIG_OTHER_NOT_FOUND ||
            config->other_requests == CONFIG_OTHER_HTTPS);
    require(strlen(config->responder.user) > 0 && strlen(config->control.group) > 0);
    require(config->tokens.webroot[0] == '/' && config->control.socket[0] == '/');
    require(!strstr(config->tokens.webroot, "//") && !strstr(config->control.socket, "/../"));
    for (size_t i = 0; i < config->redirect.interface_count; i++) {
        size_t length = strlen(config->redirect.interfaces[i]);
        require(length > 0 && length < IFNAMSIZ);
    }
    for (size_t i = 0; i < config->redirect.address_count; i++) {
        check_network(&config->redirect.addresses[i]);
        require(config->redirect.addresses[i].prefix ==
                (config->redirect.addresses[i].family == AF_INET ? 32 : 128));
    }
    require(config->ledger.size >= 1 && config->ledger.size <= 1024);
    require(config->redirect.admit_count <= 32);
    require(config->redirect.admit_count == 0 ||
            (config->redirect.method == CONFIG_METHOD_REDIRECT &&
             (config->other_requests != CONFIG_OTHER_PASS || config->redirect.pass_admitted)));
    for (size_t i = 0; i < config->redirect.admit_count; i++) {
        const struct config_chain *chain = &config->redirect.admit[i];
        require(strncmp(chain->family, "i", 1) == 0 && chain->table[0] && chain->chain[0]);
    }
    for (size_t i = 0; i < config->redirect.source_count; i++)
        check_network(&config->redirect.sources[i]);
    for (size_t i = 0; i < config->tokens.account_count; i++)
        require(challenge_check_thumbprint(config->tokens.accounts[i],
                                           strlen(config->tokens.accounts[i]), NULL) == 0);
    require(config->tokens.stateless_count <= 1);
    for (size_t i = 0; i < config->tokens.stateless_count; i++)
        require(challenge_check_thumbprint(config->tokens.stateless[i],
                                           strlen(config->tokens.stateless[i]), NULL) == 0);
}

static void check_refused(const struct config *config, const struct config_errors *errors)
{
    require(errors->count >= 1 && errors->count <= CONFIG_ERRORS_MAX);
    require(!errors->more || errors->count == CONFIG_ERRORS_MAX);
    for (size_t i = 0; i < errors->count; i++) {
        require(strncmp(errors->lines[i], "fuzz.yaml:", 10) == 0);
        for (const char *c = errors->lines[i]; *c; c++)
            require(*c >= 0x20 && *c <= 0x7e);
    }
    require(!config->redirect.interfaces && !config->redirect.addresses);
    require(!config->redirect.sources && !config->tokens.accounts && !config->tokens.stateless);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config_errors errors;
    struct config config;
    if (config_parse(&config, "fuzz.yaml", data, size, &errors) == 0) {
        require(errors.count == 0);
        check_accepted(&config);
    } else {
        check_refused(&config, &errors);
    }
    config_deinit(&config);
    return 0;
}
